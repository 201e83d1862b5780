// Step 5 of the wizard: one mail in, one mail out, each told while it happens.
import { useState } from "preact/hooks";
import { asCurl } from "../lib/api";
import { now } from "../lib/format";
import { useResource } from "../lib/resource";
import { setupUrl, type Progress } from "../lib/setup";
import type { DnsRecords, Page, Trace, TraceEvent } from "../lib/types";
import { Copy, Notice, Quoted, State } from "../ui/parts";
import { Step } from "./journey";
import { StepButtons, StepTitle } from "./setup_parts";

const WAITS_LONG_MS = 120_000;
const SHOWN_STEPS = 6;

/** What of the records stands in the way of mail in one direction. */
function missing(dns: DnsRecords | null, need: string): string[] {
  return (dns?.items ?? [])
    .filter((r) => r.need === need && !r.muted && r.state !== "ok" && r.state !== "optional")
    .map((r) => `${r.type} (${r.state})`);
}

function Told({ t }: { t: Trace }) {
  const events = useResource<{ items: TraceEvent[] }>(`/traces/${t.id}/events`, {}, ["trace"]);
  return (
    <>
      <p>
        <State of={t.verdict} /> <Quoted text={t.subject} empty="(no subject)" />
        {t.reason && <> · {t.reason.plain || <Quoted text={t.reason.text} />}</>}
      </p>
      {!!events.data?.items.length && (
        <ol class="journey">
          {events.data.items.slice(-SHOWN_STEPS).map((e, i) => <Step key={`${e.time}${i}`} e={e} isRaw={false} />)}
        </ol>
      )}
      <a href={`/messages/${t.id}`}>Its whole journey</a>
    </>
  );
}

function Test(p: { title: string; what: string; question: string; left: string[]; advice: string; copy?: string }) {
  const list = useResource<Page<Trace>>("/traces", { q: p.question, limit: 1 }, ["trace"]);
  const [since] = useState(Date.now);
  const t = list.data?.items[0];
  return (
    <section class="sheet" aria-label={p.title}>
      <div class="title">
        <h3>{p.title}</h3>
        <Copy text={asCurl("GET", "/traces", { q: p.question })} label="Copy as curl" />
      </div>
      <p>{p.what}</p>
      {p.copy && (
        <div class="row">
          <Copy text={p.copy} label="Copy the address" />
        </div>
      )}
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      <div role="status">
        {t ? (
          <Told t={t} />
        ) : !list.data ? null : (
          <>
            <p class="waiting">
              <span aria-hidden="true">◷</span> Waiting for it. This page shows it as soon as it moves.
            </p>
            {p.left.length > 0 && <p class="faint">Not published yet: {p.left.join(", ")}.</p>}
            {now.value - since > WAITS_LONG_MS && <p>{p.advice}</p>}
          </>
        )}
      </div>
    </section>
  );
}

export function SetupMail({ domain, progress }: { domain: string; progress: Progress }) {
  if (!progress.isKnown) return <p class="faint">…</p>;
  const address = progress.account?.address;
  if (!address)
    return (
      <>
        <StepTitle>A test mail needs an account</StepTitle>
        <p>There is no mailbox at {domain} yet that could take or send one.</p>
        <StepButtons back={setupUrl(domain, "dns")}>
          <a class="button main" href={setupUrl(domain, "account")}>
            Make the first account
          </a>
        </StepButtons>
      </>
    );
  return (
    <>
      <StepTitle>Send a mail both ways</StepTitle>
      <p>
        One mail in and one mail out prove everything at once: the records, the ports, the password in the mail program.
        {progress.done.mail && " Both have happened already; the last ones are shown."}
      </p>
      <div class="columns">
        <Test
          title="1. In: from outside"
          what={`From another mailbox of yours, at work or at a big provider, write to ${address}.`}
          question={`direction:in to:${address}`}
          copy={address}
          left={missing(progress.dns, "required_to_receive")}
          advice="Nothing has reached this server for it. Most often the MX record is not seen everywhere yet (step 3), or a firewall or your provider keeps port 25 closed. The sender gets a bounce or keeps trying for days: nothing is lost."
        />
        <Test
          title="2. Out: answer it"
          what={`Open ${address} in the mail program and answer that mail, or write to any address elsewhere.`}
          question={`direction:out from:${address}`}
          left={missing(progress.dns, "required_to_send")}
          advice="Nothing has been handed over by this account. If the mail program shows an error, look for a failed sign-in or a refusal under Messages."
        />
      </div>
      <StepButtons back={setupUrl(domain, "account")}>
        {!progress.done.mail && <span class="faint">This can be left and come back to; the overview reminds you.</span>}
        <a class={`button ${progress.done.mail ? "main" : ""}`} href="/">
          {progress.done.mail ? "Done: to the overview" : "To the overview"}
        </a>
      </StepButtons>
    </>
  );
}

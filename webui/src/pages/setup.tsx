// The first-run wizard: from an empty appliance to mail in both directions, one question at a
// time. Every step can be left and come back to; what is done is what the server says.
import { useEffect, useState } from "preact/hooks";
import { Problem, call } from "../lib/api";
import { useResource } from "../lib/resource";
import { go, query } from "../lib/router";
import { STEPS, setupUrl, useProgress, type StepId } from "../lib/setup";
import type { Domain, Page } from "../lib/types";
import { Field, Notice, Quoted } from "../ui/parts";
import { SetupAccount } from "./setup_account";
import { SetupHost } from "./setup_host";
import { SetupMail } from "./setup_mail";
import { StepButtons } from "./setup_parts";
import { SetupRecords } from "./setup_records";

function Steps({ domain, at, done }: { domain: string; at: StepId; done: { [s in StepId]: boolean } }) {
  return (
    <nav aria-label="Steps">
      <ol class="steps">
        {STEPS.map(([id, name], i) => {
          const inside = (
            <>
              <span class="step-mark" aria-hidden="true">
                {done[id] ? "✓" : i + 1}
              </span>
              {name}
              {done[id] && <span class="hidden">, done</span>}
            </>
          );
          return (
            <li key={id} class={done[id] ? "done" : ""} aria-current={id === at ? "step" : undefined}>
              {id !== at && (id === "host" || (id === "domain") === !domain) ? <a href={setupUrl(domain, id)}>{inside}</a> : <span>{inside}</span>}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

function ChooseDomain() {
  const [name, setName] = useState("");
  const [isElsewhere, setElsewhere] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const there = useResource<Page<Domain>>("/domains", { limit: 5 }, ["admin"]);

  async function submit() {
    setBusy(true);
    setProblem(null);
    try {
      // Made, but not to be read at the moment, is an answer without content.
      const made = await call<Domain | undefined>("POST", "/domains", { body: { name: name.trim() } });
      const domain = made?.name ?? name.trim();
      if (isElsewhere) localStorage.setItem(`moving ${domain}`, "1");
      go(setupUrl(domain, "dns"));
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      setProblem(p);
    }
    setBusy(false);
  }

  return (
    <>
      <h2 class="step-title">Which domain shall have mail here?</h2>
      <p>
        A domain is what stands behind the @ of an address. You must be able to change its DNS records, at the company where it is
        registered or its DNS is kept.
      </p>
      <form
        class="narrow"
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        <Field label="Domain" value={name} onValue={setName} placeholder="example.com" error={problem?.field("/name")} required autofocus />
        <fieldset>
          <legend>Mail for this domain today</legend>
          <label class="check">
            <input type="radio" name="today" checked={!isElsewhere} onChange={() => setElsewhere(false)} />
            there is none, it starts here
          </label>
          <label class="check">
            <input type="radio" name="today" checked={isElsewhere} onChange={() => setElsewhere(true)} />
            another provider has it, and it shall move
          </label>
          <p class="hint">
            {isElsewhere
              ? "The record that sends mail here (MX) is shown last, and what you publish now is added to, not replaced: nothing stops working while you set up."
              : "All records are shown at once."}
          </p>
        </fieldset>
        {problem && !problem.field("/name") && <Notice problem={problem} />}
        {problem?.body.code === "already_exists" && (
          <p>
            <a href={setupUrl(name.trim().toLowerCase())}>Go on with {name.trim().toLowerCase()}</a>
          </p>
        )}
        <StepButtons>
          <button class="main" disabled={isBusy}>
            {isBusy ? "Adding…" : "Add domain"}
          </button>
        </StepButtons>
      </form>
      {!!there.data?.items.length && (
        <p class="faint">
          Already here:{" "}
          {there.data.items.map((d, i) => (
            <span key={d.id}>
              {i > 0 && ", "}
              <a href={setupUrl(d.name)}>
                <Quoted text={d.name_unicode || d.name} />
              </a>
            </span>
          ))}
        </p>
      )}
    </>
  );
}

export function Setup() {
  const domain = query.value.get("domain") ?? "";
  const progress = useProgress(domain);
  const found = useResource<Domain>(domain ? `/domains/${encodeURIComponent(domain)}` : null, {}, ["admin"]);
  const wanted = query.value.get("step") as StepId | null;
  // A host that is not well holds nobody up who has a domain already.
  const open = domain
    ? (STEPS.find(([id]) => id !== "host" && !progress.done[id])?.[0] ?? "mail")
    : progress.done.host
      ? "domain"
      : "host";
  const isStep = domain ? STEPS.some(([id]) => id === wanted) : wanted === "host" || wanted === "domain";
  const at = isStep ? wanted! : progress.isKnown ? open : null;
  // Where it was left off gets a URL of its own, so that the step does not change by itself.
  useEffect(() => {
    if (at && at !== wanted) go(setupUrl(domain, at), true);
  }, [domain, at, wanted]);

  if (found.problem)
    return (
      <>
        <h1>Set up a domain</h1>
        <Notice problem={found.problem} retry={found.reload} />
        <a href="/setup">Begin with another domain</a>
      </>
    );
  return (
    <>
      <p class="crumbs">
        <a href="/domains">Domains</a> ›{" "}
        {domain && (
          <>
            <a href={`/domains/${encodeURIComponent(domain)}`}>
              <Quoted text={found.data?.name_unicode || domain} />
            </a>{" "}
            ›
          </>
        )}
      </p>
      <h1>{domain ? <>Set up <Quoted text={found.data?.name_unicode || domain} /></> : "Set up your first domain"}</h1>
      <Steps domain={domain} at={at ?? open} done={progress.done} />
      <div class="setup" key={at}>
        {at === "host" && <SetupHost domain={domain} progress={progress} />}
        {at === "domain" && <ChooseDomain />}
        {at === "dns" && <SetupRecords domain={domain} progress={progress} />}
        {at === "account" && <SetupAccount domain={domain} progress={progress} />}
        {at === "mail" && <SetupMail domain={domain} progress={progress} />}
      </div>
    </>
  );
}

// Step 1 of the wizard: this server as others see it. Each row is looked at by itself and turns
// when its answer is there; what is shown until then is the last one, with its age.
import { useEffect, useRef } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { isLookedAt, setupUrl, type Progress } from "../lib/setup";
import type { Check } from "../lib/types";
import { Ago, Copy, Quoted, State, When } from "../ui/parts";
import { toast } from "../ui/toast";
import { act } from "./record";
import { StepButtons, StepTitle } from "./setup_parts";

export const MOVES: Record<string, string> = {
  you: "your move",
  wait: "nothing to do but wait",
  dns_host: "your move, where the DNS of its name is kept",
  isp: "your provider's move, who rents out the machine or its address",
};

/** Of the others, those that a new server trips over. */
const ALSO = ["clock", "certificate", "disk"];

async function run(checks: Check[], reload: () => void): Promise<void> {
  try {
    await Promise.all(checks.map((c) => call("POST", `/health/${c.id}/run`)));
  } catch (p) {
    if (!(p instanceof Problem)) throw p;
    toast(p.message);
  }
  reload();
}

function Age({ c }: { c: Check }) {
  if (c.checking) return <>looking …</>;
  return c.checked_at ? <>looked at <Ago at={c.checked_at} /></> : <>not looked at yet</>;
}

function Row({ c, reload }: { c: Check; reload: () => void }) {
  const { lines, request, name } = c.details;
  const mute = (muted: boolean) =>
    act("PATCH", `/health/${c.id}`, { muted }, `${c.title}: ${muted ? "left as it is" : "looked after again"}`).then(reload);
  const isDoubted = !!c.last_run && c.last_run !== c.state && !c.checking;
  return (
    <li class={`record${c.muted ? " muted" : ""}`} id={`check-${c.id}`} aria-labelledby={`name-${c.id}`} aria-busy={c.checking}>
      <div class="record-head">
        <State of={c.state} />
        <strong id={`name-${c.id}`}>{c.title}</strong>
        {c.muted && <span class="faint">muted</span>}
        <Quoted text={c.text} />
        <span class="faint record-since">
          <Age c={c} />
        </span>
      </div>
      {isDoubted && (
        <p>
          The last look alone says <State of={c.last_run!} />. It is looked at once more before that counts.
        </p>
      )}
      {c.checked_at && c.fix && (
        <p>
          {c.fix} {c.owner && MOVES[c.owner] && <span class="faint">({MOVES[c.owner]})</span>}
        </p>
      )}
      {lines && (lines.length > 1 || c.state !== "ok") && (
        <ul class="host-lines">
          {lines.map((l) => (
            <li key={l.name}>
              <State of={l.state} /> <Quoted text={l.name} />
              <span class="faint">
                <Quoted text={l.text} />
              </span>
            </li>
          ))}
        </ul>
      )}
      {name && (
        <p>
          The address is called <code>{name}</code>, and that name leads back to it. If the server shall have this name, say{" "}
          <code>hostname: {name}</code> in its configuration file and start it anew.
        </p>
      )}
      {c.muted && c.muted_at && (
        <p class="faint">
          Left as it is since <When at={c.muted_at} />, by <Quoted text={(c.muted_by ?? "").replace(/^admin:/, "")} />. It counts
          among nothing that needs you.
        </p>
      )}
      <div class="row">
        <button class="quiet" disabled={c.checking} aria-label={`Re-check: ${c.title}`} onClick={() => void run([c], reload)}>
          Re-check
        </button>
        {isLookedAt(c) && (c.muted || c.state === "warn" || c.state === "fail") && (
          <button class="quiet" aria-label={`${c.muted ? "Unmute" : "Mute"}: ${c.title}`} onClick={() => void mute(!c.muted)}>
            {c.muted ? "Unmute" : "Mute"}
          </button>
        )}
        {name && <Copy text={`hostname: ${name}`} label="Copy the line" />}
        {request && <Copy text={request} label="Copy the request to send" />}
      </div>
    </li>
  );
}

export function SetupHost({ domain, progress }: { domain: string; progress: Progress }) {
  const checks = progress.host;
  const asked = useRef(false);
  const rows = [...(checks?.filter(isLookedAt) ?? []), ...(checks?.filter((c) => ALSO.includes(c.id)) ?? [])];
  const fresh = rows.filter((c) => isLookedAt(c) && !c.checked_at && !c.checking);
  const bad = rows.filter((c) => c.state === "fail" && !c.muted);
  const isBusy = rows.some((c) => c.checking);
  const next = domain ? setupUrl(domain) : setupUrl("", "domain");

  // What nobody has looked at is looked at now; the rest says how old it is.
  useEffect(() => {
    if (!checks || asked.current) return;
    asked.current = true;
    if (fresh.length) void run(fresh, progress.reload);
  }, [checks]);
  // A link from the overview leads to one row, which is there only now.
  useEffect(() => {
    if (checks && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, [!checks]);

  if (!checks) return <p class="faint">…</p>;
  return (
    <>
      <div class="title">
        <StepTitle>How others see this server</StepTitle>
        <strong role="status">
          {isBusy ? "looking …" : bad.length ? `${bad.length} of ${rows.length} not well` : "nothing stands in the way"}
        </strong>
      </div>
      <p>
        Other mail servers judge this one by its name, its address and where it stands on lists before they take any mail. To look,
        this server asks its name service, and connects to the mail servers of a few large domains: it reads their greeting and says
        goodbye. Which lists and domains these are can be <a href="/settings?q=host.">set</a>.
      </p>
      <div class="row">
        <button class="main" disabled={isBusy} onClick={() => void run(rows.filter(isLookedAt), progress.reload)}>
          Check all now
        </button>
        <Copy text={asCurl("GET", "/health")} label="Copy as curl" />
      </div>
      <ul class="records" aria-label="Checks">
        {rows.map((c) => (
          <Row key={c.id} c={c} reload={progress.reload} />
        ))}
      </ul>
      <StepButtons>
        {bad.length ? (
          <>
            <span class="faint">What is not well stays on the overview until it is.</span>
            <a class="button" href={next}>
              Go on meanwhile
            </a>
          </>
        ) : (
          <a class="button main" href={next}>
            Continue
          </a>
        )}
      </StepButtons>
    </>
  );
}

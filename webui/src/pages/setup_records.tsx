// Step 3 of the wizard: the records to publish, each with its state as the name servers change.
import { useEffect, useState } from "preact/hooks";
import { Problem, asCurl, call, urlOf } from "../lib/api";
import { clock, plural } from "../lib/format";
import { isPaused } from "../lib/live";
import { setupUrl, type Progress } from "../lib/setup";
import type { DnsRecord } from "../lib/types";
import { Ago, Copy } from "../ui/parts";
import { toast } from "../ui/toast";
import { FormChoice, Record, isFine, typed, useForm, type Form } from "./record";
import { StepButtons, StepTitle, isMoving } from "./setup_parts";

const LOOK_EVERY_S = 30;

/** Looks by itself while the page is seen and something is left to come; seconds to the next. */
function useLooks(path: string, isWanted: boolean): [left: number, look: () => void] {
  const [left, setLeft] = useState(LOOK_EVERY_S);
  const [problem, setProblem] = useState("");
  const look = () => {
    setLeft(LOOK_EVERY_S);
    call("POST", `${path}/dns/check`)
      .then(() => setProblem(""))
      .catch((p) => p instanceof Problem && setProblem(p.message));
  };
  useEffect(() => {
    if (problem) toast(problem);
  }, [problem]);
  useEffect(() => {
    if (!isWanted) return;
    const timer = setInterval(() => {
      if (!document.hidden && !isPaused.peek()) setLeft((s) => s - 1);
    }, 1000);
    return () => clearInterval(timer);
  }, [isWanted]);
  useEffect(() => {
    if (left <= 0) look();
  }, [left]);
  return [left, look];
}

/** What is left to publish as text: one line a record, tabs between, for a note or a colleague. */
function asLines(rows: DnsRecord[], form: Form): string {
  return rows
    .flatMap((r) => {
      const { name, priority, values } = typed(r, form);
      return values.map((v) => [r.type, name, ...(priority === null ? [] : [priority]), v].join("\t"));
    })
    .join("\n");
}

export function SetupRecords({ domain, progress }: { domain: string; progress: Progress }) {
  const path = `/domains/${encodeURIComponent(domain)}`;
  const [formId, form, choose] = useForm();
  const d = progress.dns;
  const moves = isMoving(domain);
  const [left, look] = useLooks(path, !!d && !progress.done.dns);
  if (!d) return <p class="faint">…</p>;

  const isLast = (r: DnsRecord) => moves && r.type === "MX";
  const needed = d.items.filter((r) => r.need.startsWith("required") && !r.muted);
  const due = needed.filter((r) => !isFine(r)).sort((a, b) => Number(isLast(a)) - Number(isLast(b)));
  const fine = needed.filter(isFine);
  const more = d.items.filter((r) => r.need === "recommended" && !r.muted && !isFine(r));
  const copied = due.filter((r) => r.expected.length && r.state !== "unknown");
  const reload = progress.reload;
  return (
    <>
      <div class="title">
        <StepTitle>Publish these DNS records</StepTitle>
        <strong role="status">
          Required {d.required.ok}/{d.required.total}
        </strong>
      </div>
      <p>
        They tell the world that this server takes mail for {domain}, and that what it sends is really yours. Enter them where the
        DNS of {domain} is kept, one after the other: each turns <b>ok</b> by itself when the name servers have it.
      </p>
      <div class="row">
        <button class="main" onClick={look}>
          Check all now
        </button>
        <span class="faint number">
          {d.checking
            ? "asking the name servers …"
            : progress.done.dns
              ? d.checked_at && <>checked <Ago at={d.checked_at} /></>
              : `looks again in ${clock(Math.max(0, left))}`}
        </span>
        <span class="grow" />
        <FormChoice id={formId} choose={choose} />
      </div>
      <div class="row">
        {copied.length > 0 && <Copy text={asLines(copied, form)} label="Copy all" done={`${plural(copied.length, "record")} copied`} />}
        {copied.length > 0 && (
          <a
            class="button quiet"
            href={urlOf(`${path}/dns/zone`, { only: "missing", style: form.isRelative ? "relative" : "full" })}
            download={`${domain}-missing.zone`}
          >
            Zone file: what is missing
          </a>
        )}
        <Copy text={asCurl("GET", `${path}/dns`)} label="Copy as curl" />
      </div>
      {due.length > 0 ? (
        <ul class="records" aria-label="Left to do">
          {due.map((r) => (
            <Record key={r.key} r={r} form={form} path={path} onChange={reload}>
              {isLast(r) && (
                <p>
                  <b>Change this one last</b>, when the mailboxes have moved: from then on mail for {domain} comes here.
                </p>
              )}
            </Record>
          ))}
        </ul>
      ) : (
        <p class="notice good" role="status">
          <strong>All required records are as they should be.</strong>
        </p>
      )}
      {fine.length > 0 && (
        <details>
          <summary>{plural(fine.length, "required record is", "required records are")} ok</summary>
          <ul class="records">
            {fine.map((r) => (
              <Record key={r.key} r={r} form={form} path={path} onChange={reload} />
            ))}
          </ul>
        </details>
      )}
      {more.length > 0 && (
        <p class="faint">
          {plural(more.length, "more record")} can wait: <a href={`${path}?tab=dns`}>all records of {domain}</a>.
        </p>
      )}
      <StepButtons>
        {progress.done.dns ? (
          <a class="button main" href={setupUrl(domain, "account")}>
            Continue
          </a>
        ) : (
          <>
            <span class="faint">DNS can take an hour; the overview reminds you until all are ok.</span>
            <a class="button" href={setupUrl(domain, "account")}>
              Go on meanwhile
            </a>
          </>
        )}
      </StepButtons>
    </>
  );
}

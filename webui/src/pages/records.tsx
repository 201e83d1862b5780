// What a domain publishes: its records beside what the name servers say, its DKIM keys, and
// what it says of itself (DMARC, MTA-STS, TLS reports).
import { useState } from "preact/hooks";
import { asCurl, call, urlOf } from "../lib/api";
import { count, plural } from "../lib/format";
import { useResource } from "../lib/resource";
import type { DkimKey, DnsChange, DnsRecord, DnsRecords, DomainPolicy, Page, PolicyAdvice } from "../lib/types";
import { Ago, Copy, Dialog, Empty, Notice, Quoted, State, TypedConfirm, When } from "../ui/parts";
import { FormChoice, Record, act, isFine, useForm } from "./record";

const NEEDS: [need: DnsRecord["need"][], title: string][] = [
  [["required_to_receive", "required_to_send"], "Required"],
  [["recommended"], "Recommended"],
  [["optional"], "Optional"],
];

function History({ path }: { path: string }) {
  const list = useResource<Page<DnsChange>>(`${path}/dns/history`, { limit: 20 }, ["dns"]);
  if (!list.data?.items.length) return null;
  return (
    <details>
      <summary>History</summary>
      <ul class="plain">
        {list.data.items.map((c) => (
          <li key={c.id}>
            <When at={c.at} /> <code>{c.key}</code>: {c.was} → {c.state} <span class="faint">{c.reason}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

export function RecordsTab({ path, domain }: { path: string; domain: string }) {
  const dns = useResource<DnsRecords>(`${path}/dns`, {}, ["dns", "admin"]);
  const [formId, form, choose] = useForm();
  const d = dns.data;
  if (dns.problem) return <Notice problem={dns.problem} retry={dns.reload} />;
  if (!d) return <p class="faint">…</p>;
  const zone = (only: string) => urlOf(`${path}/dns/zone`, { only, style: form.isRelative ? "relative" : "full" });
  return (
    <section aria-labelledby="dns-title">
      <div class="title">
        <h2 id="dns-title">DNS records</h2>
        <span>
          Required {d.required.ok}/{d.required.total} · Recommended {d.recommended.ok}/{d.recommended.total}
        </span>
        <span class="faint" aria-live="polite">
          {d.checking
            ? "asking the name servers …"
            : d.checked_at
              ? <>checked <Ago at={d.checked_at} /> at {plural(d.servers.length, "name server")}</>
              : "not checked yet"}
        </span>
      </div>
      <div class="row">
        <button class="main" onClick={() => void act("POST", `${path}/dns/check`, undefined, "Asking the name servers").then(dns.reload)}>
          Check now
        </button>
        <Copy text={asCurl("GET", `${path}/dns`)} label="Copy as curl" />
        <a class="button" href={zone("missing")} download={`${domain}-missing.zone`}>
          Zone file: what is missing
        </a>
        <a class="button" href={zone("all")} download={`${domain}.zone`}>
          Zone file: everything
        </a>
        <FormChoice id={formId} choose={choose} />
      </div>
      <WhereReportsGo path={path} />
      {d.required.ok < d.required.total && (
        <p class="notice warn">
          Enter the records below where the DNS of {domain} is kept (your registrar or DNS provider), one after the other. This page looks by itself again and shows what has arrived.
        </p>
      )}
      {NEEDS.map(([needs, title]) => {
        const rows = d.items.filter((r) => needs.includes(r.need));
        const due = rows.filter((r) => !isFine(r) && !r.muted);
        const fine = rows.filter((r) => isFine(r) && !r.muted);
        const muted = rows.filter((r) => r.muted);
        return (
          <section key={title} aria-label={title}>
            <h3>{title}</h3>
            <ul class="records">
              {due.map((r) => (
                <Record key={r.key} r={r} form={form} path={path} onChange={dns.reload} />
              ))}
            </ul>
            {fine.length > 0 && (
              <details open={title === "Required"}>
                <summary>{due.length ? `${plural(fine.length, "more record")} as they should be` : `All ${fine.length} as they should be`}</summary>
                <ul class="records">
                  {fine.map((r) => (
                    <Record key={r.key} r={r} form={form} path={path} onChange={dns.reload} />
                  ))}
                </ul>
              </details>
            )}
            {muted.length > 0 && (
              <details>
                <summary>{plural(muted.length, "muted record")}</summary>
                <ul class="records">
                  {muted.map((r) => (
                    <Record key={r.key} r={r} form={form} path={path} onChange={dns.reload} />
                  ))}
                </ul>
              </details>
            )}
          </section>
        );
      })}
      <History path={path} />
      {d.servers.length > 0 && <p class="faint">Asked: {d.servers.join(", ")}</p>}
    </section>
  );
}

// --- keys

const STATE_WORDS: Record<DkimKey["state"], string> = {
  generated: "made, not to be published yet",
  publish: "waits until every name server has it",
  verified: "every name server has it; ready to sign",
  active: "signs what leaves",
  retiring: "signs no more; stays in DNS for the mail it has signed",
  revoked: "its private half is gone; remove the record",
};
const ACTIONS: Record<string, string> = {
  publish: "Publish",
  active: "Activate",
  retiring: "Stop signing with",
  revoked: "Revoke",
};

export function KeysTab({ path }: { path: string }) {
  const list = useResource<{ items: DkimKey[] }>(`${path}/dkim-keys`, {}, ["dns", "admin"]);
  const [revoking, setRevoking] = useState<DkimKey | null>(null);
  if (list.problem) return <Notice problem={list.problem} retry={list.reload} />;
  if (!list.data) return <p class="faint">…</p>;
  const keys = list.data.items;
  const change = (k: DkimKey, state: string, more: object = {}) =>
    act("PATCH", `${path}/dkim-keys/${k.id}`, { state, ...more }, `${k.selector}: ${state}`).then((ok) => {
      list.reload();
      return ok;
    });
  return (
    <section aria-labelledby="dkim-title">
      <div class="title">
        <h2 id="dkim-title">DKIM keys</h2>
        <Copy text={asCurl("GET", `${path}/dkim-keys`)} label="Copy as curl" />
      </div>
      {!keys.some((k) => k.state === "active") && (
        <p class="notice warn">No key signs yet: mail leaves unsigned until every name server has one of the keys below.</p>
      )}
      <div class="row">
        <button onClick={() => void act("POST", `${path}/dkim-keys/rotate`, {}, "A new pair is made; publish its records").then(list.reload)}>
          Rotate: make a new pair
        </button>
      </div>
      {!keys.length && <Empty title="No keys yet: a pair is being made" />}
      <ul class="records">
        {keys.map((k) => (
          <li class="record" key={k.id}>
            <div class="record-head">
              <State of={k.state} />
              <strong>{k.algorithm === "rsa" ? "RSA-2048" : "Ed25519"}</strong>
              <code class="record-name">{k.selector}</code>
              <span class="faint">{STATE_WORDS[k.state]}</span>
              <span class="faint record-since">
                since <Ago at={k.since} />
              </span>
            </div>
            {k.servers_total > 0 && (
              <p>
                {k.servers_ok} of {plural(k.servers_total, "name server")} {k.servers_ok === 1 ? "has" : "have"} it.
                {k.state === "publish" && k.servers_ok < k.servers_total && " It cannot be activated before all have it."}
                {k.state === "retiring" && k.keep_until && (
                  <>
                    {" "}Keep the record until <When at={k.keep_until} />.
                  </>
                )}
                {k.rotation_due && ` It has signed for ${k.active_days} days: time to rotate.`}
              </p>
            )}
            {k.state !== "generated" && k.state !== "revoked" && (
              <>
                <p>
                  <code>{k.record.relative}</code> TXT <code class="long"><Quoted text={k.record.value} /></code>
                </p>
                <div class="row">
                  <Copy text={k.record.relative} label="Copy name" />
                  <Copy text={k.record.value} label="Copy value" />
                  {k.record.value.length > 255 && <Copy text={k.record.master} label="Copy in pieces of 255" />}
                </div>
              </>
            )}
            <div class="row">
              {k.actions
                .filter((a) => ACTIONS[a])
                .map((a) => (
                  <button key={a} onClick={() => void change(k, a)}>
                    {ACTIONS[a]} {k.selector}
                  </button>
                ))}
              {k.actions.includes("delete") && (
                <button
                  class="quiet"
                  onClick={() => void act("DELETE", `${path}/dkim-keys/${k.id}`, undefined, `${k.selector} forgotten`).then(list.reload)}
                >
                  Forget {k.selector}
                </button>
              )}
              {k.state !== "revoked" && k.activated_at && (
                <button class="danger" onClick={() => setRevoking(k)}>
                  Revoke {k.selector} now
                </button>
              )}
            </div>
          </li>
        ))}
      </ul>
      {revoking && (
        <TypedConfirm
          title={`Revoke ${revoking.selector} now?`}
          name={revoking.selector}
          effect="For an emergency: the private half is destroyed at once, and signatures on mail that is still under way fail when you remove the record."
          button="Revoke it now"
          onClose={() => setRevoking(null)}
          onConfirm={async () => {
            await call("PATCH", `${path}/dkim-keys/${revoking.id}`, { body: { state: "revoked", emergency: true } });
            setRevoking(null);
            list.reload();
          }}
        />
      )}
    </section>
  );
}

// --- policies

interface Rung {
  label: string;
  effect: string;
  body: Record<string, unknown>;
}
const DMARC: Rung[] = [
  { label: "watch", effect: "Nobody does anything; reports tell you who sends as you.", body: { policy: "none", testing: false } },
  { label: "quarantine, testing", effect: "Receivers say what they would have done, and do not do it (t=y).", body: { policy: "quarantine", testing: true } },
  { label: "quarantine", effect: "Mail that is not proven to be yours goes to Junk. A good end point where people write.", body: { policy: "quarantine", testing: false } },
  { label: "reject, testing", effect: "Receivers treat it as quarantine and report what reject would do (t=y).", body: { policy: "reject", testing: true } },
  { label: "reject", effect: "Mail that is not proven to be yours is refused. Breaks some mailing lists.", body: { policy: "reject", testing: false } },
];
const STS: Rung[] = [
  { label: "off", effect: "No policy: others encrypt when they can.", body: { mode: "none" } },
  { label: "testing", effect: "Others report where encryption would have failed, and deliver all the same.", body: { mode: "testing" } },
  { label: "enforce", effect: "Others deliver only with a certificate that fits.", body: { mode: "enforce" } },
];

/** What the next step would have changed in the mail that others saw. */
function Advice({ advice }: { advice: PolicyAdvice }) {
  return (
    <div class={advice.failed && !advice.ready ? "notice warn" : "notice"}>
      <p>{advice.text}</p>
      {advice.sources.length > 0 && (
        <details>
          <summary>Who sent what failed, and what to do if it was you</summary>
          <ul class="plain">
            {advice.sources.map((s) => (
              <li key={`${s.name} ${s.mx ?? ""}`}>
                <strong>
                  <Quoted text={s.name} />
                </strong>{" "}
                {s.mx && <Quoted text={s.mx} />} {count(s.failed)}
                <p class="faint">{s.advice}</p>
              </li>
            ))}
          </ul>
          {advice.more_sources > 0 && <p>… and {count(advice.more_sources)} more</p>}
          <a href={`/reports?domain=${encodeURIComponent(advice.domain)}${advice.name === "dmarc" ? "" : "&tab=tls"}`}>See the reports</a>
        </details>
      )}
    </div>
  );
}

function Ladder({ title, path, name, rungs, keep }: { title: string; path: string; name: string; rungs: Rung[]; keep: (keyof DomainPolicy)[] }) {
  const at = `${path}/policies/${name}`;
  const policy = useResource<DomainPolicy>(at, {}, ["admin"]);
  // Whoever may not read reports sees the ladder without it.
  const advice = useResource<PolicyAdvice>(`${at}/advice`, {}, ["report", "admin"]).data;
  const [next, setNext] = useState<Rung | null>(null);
  const p = policy.data;
  if (policy.problem) return <Notice problem={policy.problem} retry={policy.reload} />;
  if (!p) return <p class="faint">…</p>;
  const here = rungs.findIndex((r) => Object.entries(r.body).every(([k, v]) => p[k as keyof DomainPolicy] === v));
  const kept = Object.fromEntries(keep.map((k) => [k, p[k]]));
  return (
    <section aria-label={title}>
      <div class="title">
        <h3>{title}</h3>
        <Copy text={asCurl("GET", at)} label="Copy as curl" />
      </div>
      {advice && <Advice advice={advice} />}
      <ol class="ladder">
        {rungs.map((r, i) => (
          <li key={r.label} aria-current={i === here ? "step" : undefined}>
            <strong>{r.label}</strong>
            {i === here && <span class="faint">you are here</span>}
            <p class="faint">{r.effect}</p>
            {i !== here && (
              <button onClick={() => setNext(r)}>
                {i > here ? "Step up" : "Step back"} to {r.label}
              </button>
            )}
          </li>
        ))}
      </ol>
      {next && (
        <Dialog title={`${title}: ${next.label}?`} onClose={() => setNext(null)}>
          <p>{next.effect}</p>
          {advice && rungs.indexOf(next) === here + 1 && <p>{advice.text}</p>}
          {advice && rungs.indexOf(next) > here + 1 && (
            <p>
              This leaves steps out. In the last {advice.days} days {count(advice.failed)} of {count(advice.good + advice.failed)} would have met
              it.
            </p>
          )}
          <p>The record to publish changes; the DNS page shows it, and says when it has arrived.</p>
          <div class="row end">
            <button type="button" onClick={() => setNext(null)}>
              Stay
            </button>
            <button
              class="main"
              onClick={() =>
                void act("PUT", at, { ...kept, ...next.body }, `${title}: ${next.label}`).then((ok) => {
                  if (ok) setNext(null);
                  policy.reload();
                })
              }
            >
              Choose {next.label}
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

/** Reports that go past Mailstead: to a mailbox, or to somebody else. One click changes it. */
function ReportsGo({ path, name, kind }: { path: string; name: "dmarc" | "tls_rpt"; kind: string }) {
  const at = `${path}/policies/${name}`;
  const policy = useResource<DomainPolicy>(at, {}, ["admin"]);
  const p = policy.data;
  if (!p?.rua || p.rua_is_read) return null;
  const kept = name === "dmarc" ? { policy: p.policy, testing: p.testing } : {};
  return (
    <div class="notice">
      <p>
        {kind} reports go to <Quoted text={p.rua} />, where Mailstead does not read them: the pages of reports and the advice here stay empty.
      </p>
      <button onClick={() => void act("PUT", at, kept, `${kind} reports will come here`).then(policy.reload)}>Let Mailstead read them</button>{" "}
      <span class="faint">The record to publish changes.</span>
    </div>
  );
}

function WhereReportsGo({ path }: { path: string }) {
  return (
    <>
      <ReportsGo path={path} name="dmarc" kind="DMARC" />
      <ReportsGo path={path} name="tls_rpt" kind="TLS" />
    </>
  );
}

export function PoliciesTab({ path }: { path: string }) {
  return (
    <section aria-labelledby="policies-title">
      <h2 id="policies-title">Policies</h2>
      <WhereReportsGo path={path} />
      <Ladder title="DMARC" path={path} name="dmarc" rungs={DMARC} keep={["rua"]} />
      <Ladder title="MTA-STS" path={path} name="mta_sts" rungs={STS} keep={["max_age_s"]} />
    </section>
  );
}

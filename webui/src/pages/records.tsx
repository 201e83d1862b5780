// What a domain publishes: its records beside what the name servers say, its DKIM keys, and
// what it says of itself (DMARC, MTA-STS, TLS reports).
import { useState } from "preact/hooks";
import { Problem, asCurl, call, urlOf } from "../lib/api";
import { count, plural } from "../lib/format";
import { useResource } from "../lib/resource";
import type { DkimKey, DnsChange, DnsRecord, DnsRecords, DomainPolicy, Page, PolicyAdvice } from "../lib/types";
import { Ago, Copy, Dialog, Empty, Notice, Quoted, State, TypedConfirm, When } from "../ui/parts";
import { toast } from "../ui/toast";

const OWNERS: Record<string, string> = {
  dns_host: "you, where the domain's DNS is kept",
  isp: "whoever rents you the address",
  you: "you, in the settings here",
  wait: "nobody: wait",
};

const NEEDS: [need: DnsRecord["need"][], title: string][] = [
  [["required_to_receive", "required_to_send"], "Required"],
  [["recommended"], "Recommended"],
  [["optional"], "Optional"],
];

/** A call that a button makes; a refusal is shown. */
async function act(method: string, path: string, body: unknown, done: string): Promise<boolean> {
  try {
    await call(method, path, { body });
    toast(done);
    return true;
  } catch (p) {
    if (!(p instanceof Problem)) throw p;
    toast(p.message);
    return false;
  }
}

function isFine(r: DnsRecord): boolean {
  return r.state === "ok" || r.state === "optional";
}

function Values({ of, label }: { of: string[]; label: string }) {
  if (!of.length) return <span class="faint">none</span>;
  return (
    <ul class="values" aria-label={label}>
      {of.map((v) => (
        <li key={v}>
          <code>
            <Quoted text={v} />
          </code>
        </li>
      ))}
    </ul>
  );
}

/** How the form of a DNS provider wants a record. */
export interface Form {
  isRelative: boolean; // "_dmarc" rather than "_dmarc.example.com"
  hasDot: boolean; // full names end in a dot
  hasPriority: boolean; // the number of an MX or SRV is a field of its own
  isCut: boolean; // long texts in quoted pieces of 255
}
const FORMS: [id: string, name: string, form: Form][] = [
  ["usual", "most forms", { isRelative: true, hasDot: false, hasPriority: true, isCut: false }],
  ["full", "full names, no dot", { isRelative: false, hasDot: false, hasPriority: true, isCut: false }],
  ["dots", "relative names, targets end in a dot", { isRelative: true, hasDot: true, hasPriority: true, isCut: false }],
  ["zone", "zone file lines", { isRelative: true, hasDot: true, hasPriority: false, isCut: true }],
];

/** One record as it is typed into that form. */
export function typed(r: DnsRecord, form: Form): { name: string; priority: string | null; values: string[] } {
  const noDot = (s: string) => (form.hasDot ? s : s.replace(/\.$/, ""));
  const name = form.isRelative && r.relative ? r.relative : noDot(r.name);
  const names = ["MX", "SRV", "CNAME", "PTR"].includes(r.type);
  let priority = r.priority === null ? null : String(r.priority);
  const values = r.expected.map((text, i) => {
    let value = form.isCut && r.type === "TXT" ? (r.master[i] ?? text) : text;
    if (names) value = noDot(value);
    if (r.type === "SRV" && form.hasPriority) {
      const at = value.indexOf(" ");
      priority = value.slice(0, at);
      return value.slice(at + 1);
    }
    return r.type === "MX" && !form.hasPriority ? `${priority} ${value}` : value;
  });
  return { name, priority: form.hasPriority ? priority : null, values };
}

function useForm(): [id: string, form: Form, choose: (id: string) => void] {
  const [id, setId] = useState(localStorage.getItem("dns-form") ?? "usual");
  const form = (FORMS.find(([f]) => f === id) ?? FORMS[0]!)[2];
  return [
    id,
    form,
    (next) => {
      localStorage.setItem("dns-form", next);
      setId(next);
    },
  ];
}

function FormChoice({ id, choose }: { id: string; choose: (id: string) => void }) {
  return (
    <label>
      Written for{" "}
      <select value={id} onChange={(e) => choose(e.currentTarget.value)}>
        {FORMS.map(([f, name]) => (
          <option key={f} value={f}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Record({ r, form, path, onChange }: { r: DnsRecord; form: Form; path: string; onChange: () => void }) {
  const { name, priority, values } = typed(r, form);
  const value = values[0] ?? "";
  const mute = (muted: boolean) =>
    act("PATCH", `${path}/dns/${encodeURIComponent(r.key)}`, { muted }, muted ? "Left as it is" : "Looked after again").then(onChange);
  const hasWork = !isFine(r) && r.state !== "unknown" && r.owner !== "wait";
  return (
    <li class={`record ${r.state}${r.muted ? " muted" : ""}`} id={`record-${r.key}`}>
      <div class="record-head">
        <State of={r.state} />
        {r.muted && <span class="faint">muted</span>}
        <strong>{r.type}</strong>
        <code class="record-name">{name}</code>
        <span class="faint">{r.why}</span>
        {r.since && (
          <span class="faint record-since">
            since <Ago at={r.since} />
          </span>
        )}
      </div>
      {(r.reason || r.detail) && (
        <p>
          {r.reason} {r.detail && <span class="faint">({r.detail})</span>}
          {r.state === "propagating" && (
            <span>
              {" "}
              {r.servers_ok} of {plural(r.servers_total, "name server")} have it
              {r.cached_until && (
                <>
                  ; the old answer may be kept until <When at={r.cached_until} />
                </>
              )}
              .
            </span>
          )}
        </p>
      )}
      {!isFine(r) && OWNERS[r.owner] && (
        <p class="faint">
          Whose move: {OWNERS[r.owner]}
        </p>
      )}
      <dl class="record-values">
        <div>
          <dt>Expected</dt>
          <dd>
            <Values of={values} label="Expected" />
            {priority !== null && <span class="faint">priority {priority}</span>}
          </dd>
        </div>
        <div>
          <dt>Found</dt>
          <dd>
            <Values of={r.found} label="Found" />
          </dd>
        </div>
      </dl>
      {r.muted && r.muted_at && (
        <p class="faint">
          Left as it is since <When at={r.muted_at} />, by <Quoted text={(r.muted_by ?? "").replace(/^admin:/, "")} />. It counts
          among no figures.
        </p>
      )}
      <div class="row">
        {(hasWork || r.state === "unknown" || r.state === "optional") && value && (
          <>
            <Copy text={name} label="Copy name" />
            {priority !== null && <Copy text={priority} label="Copy priority" />}
            {values.map((v, n) => (
              <Copy key={v} text={v} label={values.length > 1 ? `Copy value ${n + 1}` : "Copy value"} />
            ))}
          </>
        )}
        {(r.muted || !isFine(r)) && (
          <button class="quiet" onClick={() => void mute(!r.muted)}>
            {r.muted ? "Unmute" : "Mute"}
          </button>
        )}
      </div>
    </li>
  );
}

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
      {d.required.ok < d.required.total && (
        <p class="notice warn">
          Enter the records below where the DNS of {domain} is kept (your registrar or DNS provider), one after the other. This page looks by itself again and shows what has arrived.
        </p>
      )}
      {NEEDS.map(([needs, title]) => {
        const rows = d.items.filter((r) => needs.includes(r.need));
        const todo = rows.filter((r) => !isFine(r) && !r.muted);
        const fine = rows.filter((r) => isFine(r) && !r.muted);
        const muted = rows.filter((r) => r.muted);
        return (
          <section key={title} aria-label={title}>
            <h3>{title}</h3>
            <ul class="records">
              {todo.map((r) => (
                <Record key={r.key} r={r} form={form} path={path} onChange={dns.reload} />
              ))}
            </ul>
            {fine.length > 0 && (
              <details open={title === "Required"}>
                <summary>{todo.length ? `${plural(fine.length, "more record")} as they should be` : `All ${fine.length} as they should be`}</summary>
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
            {i === here && <span> – you are here</span>}
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

export function PoliciesTab({ path }: { path: string }) {
  return (
    <section aria-labelledby="policies-title">
      <h2 id="policies-title">Policies</h2>
      <Ladder title="DMARC" path={path} name="dmarc" rungs={DMARC} keep={["rua"]} />
      <Ladder title="MTA-STS" path={path} name="mta_sts" rungs={STS} keep={["max_age_s"]} />
    </section>
  );
}

// One DNS record as a person meets it: what it should be, what is found, whose move it is, and
// the text to copy in the form that their DNS host wants.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Problem, call } from "../lib/api";
import { plural } from "../lib/format";
import type { DnsRecord } from "../lib/types";
import { Ago, Copy, Quoted, State, When } from "../ui/parts";
import { toast } from "../ui/toast";

const OWNERS: Record<string, string> = {
  dns_host: "you, where the domain's DNS is kept",
  isp: "whoever rents you the address",
  you: "you, in the settings here",
  wait: "nobody: wait",
};

/** A call that a button makes; a refusal is shown. */
export async function act(method: string, path: string, body: unknown, done: string): Promise<boolean> {
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

export function isFine(r: DnsRecord): boolean {
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

export function useForm(): [id: string, form: Form, choose: (id: string) => void] {
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

export function FormChoice({ id, choose }: { id: string; choose: (id: string) => void }) {
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

export function Record({ r, form, path, onChange, children }: {
  r: DnsRecord;
  form: Form;
  path: string;
  onChange: () => void;
  children?: ComponentChildren;
}) {
  const { name, priority, values } = typed(r, form);
  const value = values[0] ?? "";
  const mute = (muted: boolean) =>
    act("PATCH", `${path}/dns/${encodeURIComponent(r.key)}`, { muted }, `${r.type} ${name}: ${muted ? "left as it is" : "looked after again"}`).then(onChange);
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
      {children}
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

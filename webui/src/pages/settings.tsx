// Settings: every key with its value, where it comes from and what it means; those that
// may be set here are changed as a draft, reviewed, and applied all together.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { plural } from "../lib/format";
import { useResource } from "../lib/resource";
import { query, setQuery } from "../lib/router";
import type { Me, Setting, Settings } from "../lib/types";
import { Ago, Copy, Dialog, Empty, Notice, Quoted } from "../ui/parts";
import { toast } from "../ui/toast";

const GROUPS: [prefix: string, title: string, isOpen: boolean][] = [
  ["incoming.", "Mail from outside", true],
  ["delivery.", "Mail to other servers", true],
  ["domains.", "Domains", true],
  ["reports.", "Reports", true],
  ["limits.", "Limits", false],
  ["", "The machine", false],
];
const ACRONYMS = /\b(spf|dmarc|ip|dns|tls|ttl|smtp|imap|pop3|http|https|mx|ca|api|arc|rcpt|dsn)\b/g;

type Draft = Record<string, string>;

const isList = (s: Setting) => ["domains", "networks", "addresses"].includes(s.type);
const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);
/** "incoming.trusted_sealers" is "Trusted sealers". */
function nameOf(key: string): string {
  const name = key
    .slice(key.indexOf(".") + 1)
    .replaceAll(/[_.]/g, " ")
    .replace(ACRONYMS, (word) => word.toUpperCase());
  return name[0]!.toUpperCase() + name.slice(1);
}
/** As it stands in the field, and as it is sent. */
const shown = (s: Setting, value: string) => (isList(s) ? words(value).join("\n") : value);
const meant = (s: Setting, text: string) => (isList(s) ? words(text).join(" ") : text.trim());

function number(n: number, unit: string | null): string {
  const steps: [number, string][] =
    unit === "bytes"
      ? [[2 ** 30, "G"], [2 ** 20, "M"], [2 ** 10, "K"]]
      : unit === "ms"
        ? [[86400000, "d"], [3600000, "h"], [60000, "m"], [1000, "s"], [1, "ms"]]
        : [];
  const step = n ? steps.find(([factor]) => n % factor === 0) : undefined;
  return step ? `${n / step[0]}${step[1]}` : String(n);
}

function said(s: Setting, value: string): string {
  return s.type === "boolean" ? (value === "true" ? "yes" : "no") : shown(s, value) || "none";
}

const inLine = (s: Setting, value: string) => said(s, value).replaceAll("\n", ", ");

function hintOf(s: Setting): string {
  const range =
    s.min !== null && s.max ? `From ${number(s.min, s.unit)} to ${number(s.max, s.unit)}. ` : "";
  const list = isList(s) && s.editable ? "One on each line. " : "";
  return `${list}${range}Default: ${inLine(s, s.default ?? "")}.`;
}

function Control(p: { of: Setting; value: string; onValue: (v: string) => void; error?: string; id: string; notes: string }) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    if (p.error) ref.current?.focus();
  }, [p.error]);
  const common = {
    id: p.id,
    "aria-describedby": p.notes,
    "aria-invalid": p.error ? true : undefined,
  } as const;
  if (p.of.type === "boolean")
    return (
      <select ref={ref as never} {...common} value={p.value} onChange={(e) => p.onValue(e.currentTarget.value)}>
        <option value="true">yes</option>
        <option value="false">no</option>
      </select>
    );
  if (isList(p.of))
    return (
      <textarea
        ref={ref as never}
        {...common}
        rows={Math.min(8, Math.max(2, p.value.split("\n").length))}
        spellcheck={false}
        value={p.value}
        onInput={(e) => p.onValue(e.currentTarget.value)}
      />
    );
  return (
    <input
      ref={ref as never}
      {...common}
      value={p.value}
      autocomplete="off"
      autocapitalize="none"
      spellcheck={false}
      onInput={(e) => p.onValue(e.currentTarget.value)}
    />
  );
}

/** Who set it, where somebody did. */
function From({ of: s }: { of: Setting }) {
  if (!s.changed_at) return null;
  return (
    <p class="faint">
      {s.source === "store" ? "Set here" : "Changed here"} by{" "}
      <Quoted text={(s.changed_by ?? "").replace(/^admin:/, "")} /> <Ago at={s.changed_at} />.
    </p>
  );
}

function Row(p: { of: Setting; draft: Draft; canWrite: boolean; onValue: (v: string | undefined) => void; error?: string }) {
  const s = p.of;
  const id = useId();
  const isDraft = s.key in p.draft;
  const notes = `${id}-help ${id}-hint${p.error ? ` ${id}-error` : ""}`;
  return (
    <article class={`setting${isDraft ? " draft" : ""}`} data-key={s.key}>
      <div>
        {s.editable && p.canWrite ? (
          <label for={id}>{nameOf(s.key)}</label>
        ) : (
          <strong>{nameOf(s.key)}</strong>
        )}{" "}
        <code class="faint">{s.key}</code>
        <p id={`${id}-help`}>{s.help}</p>
      </div>
      <div class="field">
        {s.editable && p.canWrite ? (
          <Control
            of={s}
            id={id}
            notes={notes}
            error={p.error}
            value={p.draft[s.key] ?? shown(s, s.value ?? "")}
            onValue={(v) => p.onValue(meant(s, v) === s.value ? undefined : v)}
          />
        ) : (
          <p class="fixed">
            {said(s, s.value ?? "").split("\n").map((line) => (
              <Quoted key={line} text={line} />
            ))}
          </p>
        )}
        <p class="hint" id={`${id}-hint`}>
          {hintOf(s)}
          {s.fixed_because && ` ${s.fixed_because}`}
        </p>
        {p.error && (
          <p class="error" id={`${id}-error`}>
            {p.error}
          </p>
        )}
        <From of={s} />
        {isDraft && (
          <button class="quiet" onClick={() => p.onValue(undefined)}>
            Keep {inLine(s, s.value ?? "")}
          </button>
        )}
        {!isDraft && s.editable && p.canWrite && s.source === "store" && (
          <button class="quiet" onClick={() => p.onValue(shown(s, s.default ?? ""))}>
            Back to the default
          </button>
        )}
      </div>
    </article>
  );
}

/** What is sent: the default is said as null, so that a later version may change it. */
function bodyOf(items: Setting[], draft: Draft): Record<string, string | null> {
  const body: Record<string, string | null> = {};
  for (const s of items) {
    if (!(s.key in draft)) continue;
    const text = meant(s, draft[s.key]!);
    body[s.key] = text === s.default ? null : text;
  }
  return body;
}

function Review(p: { items: Setting[]; draft: Draft; etag: string; onDone: (problem: Problem | null) => void; onClose: () => void }) {
  const changed = p.items.filter((s) => s.key in p.draft);
  const body = bodyOf(p.items, p.draft);
  const [isBusy, setBusy] = useState(false);

  async function apply() {
    setBusy(true);
    try {
      await call("PATCH", "/settings", { etag: p.etag, body });
      const back: Record<string, string | null> = {};
      for (const s of changed) back[s.key] = s.source === "store" ? s.value : null;
      toast(`${plural(changed.length, "setting")} changed`, () =>
        void call<Settings>("GET", "/settings")
          .then((now) => call("PATCH", "/settings", { etag: now.etag, body: back }))
          .then(() => p.onDone(null)),
      );
      p.onDone(null);
    } catch (x) {
      if (!(x instanceof Problem)) throw x;
      p.onDone(x);
    }
  }
  return (
    <Dialog title={`Apply ${plural(changed.length, "change")}?`} onClose={p.onClose}>
      <table class="changes">
        <thead>
          <tr>
            <th>Setting</th>
            <th>Now</th>
            <th>Then</th>
          </tr>
        </thead>
        <tbody>
          {changed.map((s) => (
            <tr key={s.key}>
              <td data-name="Setting">{nameOf(s.key)}</td>
              <td data-name="Now">
                <Quoted text={inLine(s, s.value ?? "")} />
              </td>
              <td data-name="Then">
                <Quoted text={inLine(s, meant(s, p.draft[s.key]!))} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="faint">They hold at once, for new connections. Sessions under way keep what they began with.</p>
      <div class="row end">
        <Copy text={asCurl("PATCH", "/settings", {}, body)} label="Copy as curl" />
        <button onClick={p.onClose}>Go on editing</button>
        <button class="main" disabled={isBusy} onClick={() => void apply()}>
          Apply
        </button>
      </div>
    </Dialog>
  );
}

function fits(s: Setting, text: string, only: string): boolean {
  if (only === "set" && s.source === "default") return false;
  const all = `${s.key} ${nameOf(s.key)} ${s.help}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((w) => all.includes(w));
}

/** Stays as a person left it; a search and a draft open it. */
function Group(p: { title: string; n: number; isOpen: boolean; children: ComponentChildren }) {
  const [isOpen, setOpen] = useState(p.isOpen);
  useEffect(() => {
    if (p.isOpen) setOpen(true);
  }, [p.isOpen]);
  return (
    <details class="group" open={isOpen} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>
        <h2>{p.title}</h2> <span class="faint">{plural(p.n, "setting")}</span>
      </summary>
      {p.children}
    </details>
  );
}

export function SettingsPage() {
  const list = useResource<Settings>("/settings", {}, ["admin"]);
  const me = useResource<Me>("/me");
  const [draft, setDraft] = useState<Draft>({});
  const [isReview, setReview] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const text = query.value.get("q") ?? "";
  const only = query.value.get("only") ?? "";
  if (list.problem) return <Notice problem={list.problem} retry={list.reload} />;
  if (!list.data) return <p class="faint">…</p>;
  const items = list.data.items;
  const canWrite = me.data?.scopes.includes("settings:write") ?? false;
  const n = Object.keys(draft).length;
  const seen = items.filter((s) => fits(s, text, only));
  const taken = new Set<string>();
  const groups = GROUPS.map(([prefix, title, isOpen]) => {
    const of = seen.filter((s) => s.key.startsWith(prefix) && !taken.has(s.key));
    for (const s of of) taken.add(s.key);
    const hasDraft = of.some((s) => s.key in draft);
    return { title, of, isOpen: isOpen || hasDraft || text !== "" || only !== "" };
  }).filter((g) => g.of.length);

  function change(key: string, value: string | undefined) {
    const next = { ...draft };
    if (value === undefined) delete next[key];
    else next[key] = value;
    setDraft(next);
    if (problem?.field(`/${key}`)) setProblem(null);
  }
  return (
    <>
      <div class="title">
        <h1>Settings</h1>
        <Copy text={asCurl("GET", "/settings")} label="Copy as curl" />
      </div>
      <p class="lead">
        What stands in the configuration file has the last word; the rest is set here.
        {me.data && !canWrite && " Your role may read settings, and not change them."}
      </p>
      <form class="filter" role="search" onSubmit={(e) => e.preventDefault()}>
        <input
          type="search"
          aria-label="Find a setting"
          placeholder="Find a setting"
          value={text}
          onInput={(e) => setQuery({ q: e.currentTarget.value }, true)}
        />
        <label class="check">
          <input type="checkbox" checked={only === "set"} onChange={(e) => setQuery({ only: e.currentTarget.checked ? "set" : "" }, true)} />
          Only what is set
        </label>
      </form>
      {n > 0 && (
        <div class="bulk" role="region" aria-label="Changes">
          <span>{plural(n, "change")} not applied</span>
          <button class="main" onClick={() => setReview(true)}>
            Review
          </button>
          <button
            onClick={() => {
              setDraft({});
              setProblem(null);
            }}
          >
            Discard
          </button>
        </div>
      )}
      {problem && <Notice problem={problem} />}
      {groups.map((g) => (
        <Group key={g.title} title={g.title} n={g.of.length} isOpen={g.isOpen}>
          {g.of.map((s) => (
            <Row
              key={s.key}
              of={s}
              draft={draft}
              canWrite={canWrite}
              error={problem?.field(`/${s.key}`)}
              onValue={(v) => change(s.key, v)}
            />
          ))}
        </Group>
      ))}
      {!groups.length && <Empty title="No setting fits" />}
      {isReview && (
        <Review
          items={items}
          draft={draft}
          etag={list.data.etag}
          onClose={() => setReview(false)}
          onDone={(p) => {
            setReview(false);
            setProblem(p);
            if (!p) setDraft({});
            list.reload();
          }}
        />
      )}
    </>
  );
}

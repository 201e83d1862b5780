// The small parts all pages are made of. Text only: nothing here takes HTML.
import { Fragment, type ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Problem } from "../lib/api";
import { day, duration, exact, now, pieces, size, time, visible } from "../lib/format";
import { toast } from "./toast";

const CLOCKS_DIFFER_S = 5;

export function Ago({ at }: { at: string }) {
  const seconds = (now.value - Date.parse(at)) / 1000;
  return (
    <time dateTime={at} title={exact(at)}>
      {seconds < -CLOCKS_DIFFER_S ? time(at) : seconds < 1 ? "just now" : `${duration(seconds)} ago`}
    </time>
  );
}

export function When({ at }: { at: string }) {
  return (
    <time dateTime={at} title={exact(at)}>
      {time(at)}
    </time>
  );
}

/** When, and how long ago that is. */
export function Since({ at }: { at: string }) {
  return (
    <>
      <When at={at} /> <span class="faint">(<Ago at={at} />)</span>
    </>
  );
}

/** The day alone, in UTC as reports count them. */
export function Day({ at }: { at: string }) {
  return (
    <time dateTime={at} title={exact(at)}>
      {day(at)}
    </time>
  );
}

/** What a stranger chose, made harmless to the eye. */
export function Quoted({ text, empty = "–" }: { text: string; empty?: string }) {
  if (!text) return <span class="faint">{empty}</span>;
  return (
    <bdi class="quoted">
      {pieces(visible(text)).map((piece, i) => (
        <Fragment key={i}>
          {i > 0 && <wbr />}
          {piece}
        </Fragment>
      ))}
    </bdi>
  );
}

const TONES: Record<string, [tone: string, icon: string]> = {
  ok: ["good", "✓"],
  delivered: ["good", "✓"],
  accepted: ["calm", "◷"],
  active: ["good", "●"],
  warn: ["warn", "!"],
  deferred: ["warn", "…"],
  held: ["warn", "‖"],
  scheduled: ["calm", "◷"],
  queued: ["calm", "◷"],
  sent: ["good", "✓"],
  failed: ["bad", "✕"],
  fail: ["bad", "✕"],
  refused: ["bad", "✕"],
  bounced: ["bad", "↩"],
  expired: ["bad", "⌛"],
  discarded: ["calm", "∅"],
  cancelled: ["calm", "∅"],
  disabled: ["calm", "○"],
  unknown: ["calm", "?"],
  missing: ["bad", "✕"],
  differs: ["bad", "≠"],
  conflict: ["bad", "‼"],
  propagating: ["warn", "…"],
  optional: ["calm", "○"],
  generated: ["calm", "○"],
  publish: ["warn", "…"],
  verified: ["good", "✓"],
  unverified: ["warn", "?"],
  retiring: ["calm", "◷"],
  revoked: ["calm", "∅"],
  off: ["calm", "○"],
};

/** A row of a list of facts: <dl class="facts">. */
export function Fact({ name, children }: { name: string; children?: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A state by icon and word, or by other words for it; the colour only repeats it. */
export function State({ of, children }: { of: string; children?: ComponentChildren }) {
  const [tone, icon] = TONES[of] ?? ["calm", "·"];
  return (
    <span class={`state ${tone}`}>
      <span aria-hidden="true">{icon}</span> {children ?? of}
    </span>
  );
}

/** What was wrong with the question stays wrong, however often it is asked; not who asked, who may
    have signed in again, and not how often. */
const isWorthAnotherTry = ({ body }: Problem) => body.status < 400 || body.status >= 500 || [401, 429].includes(body.status);

export function Notice({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const { title, detail, request_id: id } = problem.body;
  return (
    <div class="notice bad" role="alert">
      <strong>{title}</strong>
      {detail && detail !== title && <p>{visible(detail)}</p>}
      {id && (
        <p class="faint">
          Request <code>{id}</code>
        </p>
      )}
      {retry && isWorthAnotherTry(problem) && <button onClick={retry}>Try again</button>}
    </div>
  );
}

/** Tabs of one page, each with a URL of its own: base, or base?tab=id. */
export function Tabs(p: { label: string; base: string; tabs: [id: string, label: string][]; at: string }) {
  return (
    <nav class="tabs" aria-label={p.label}>
      {p.tabs.map(([id, label]) => (
        <a key={id} href={p.base + (id && `?tab=${id}`)} aria-current={id === p.at ? "page" : undefined}>
          {label}
        </a>
      ))}
    </nav>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Copy({ text, label = "Copy", done = "Copied" }: { text: string; label?: string; done?: string }) {
  return (
    <button
      type="button"
      class="quiet"
      onClick={() =>
        navigator.clipboard.writeText(text).then(
          () => toast(done),
          () => toast("The browser does not allow copying here"),
        )
      }
    >
      {label}
    </button>
  );
}

interface FieldProps {
  label: string;
  value: string;
  onValue: (value: string) => void;
  hint?: string;
  error?: string;
  type?: string;
  name?: string;
  autocomplete?: string;
  required?: boolean;
  placeholder?: string;
  autofocus?: boolean;
  /** what stands behind the input and belongs to the value */
  suffix?: string;
}

export function Field(p: FieldProps) {
  const id = useId();
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (p.autofocus || p.error) ref.current?.focus();
  }, [p.autofocus, p.error]);
  const notes = [p.suffix && `${id}-suffix`, p.hint && `${id}-hint`, p.error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{p.label}</label>
      <div class="field-line">
        <input
          id={id}
          ref={ref}
          name={p.name}
          type={p.type ?? "text"}
          value={p.value}
          required={p.required}
          placeholder={p.placeholder}
          autocomplete={p.autocomplete ?? "off"}
          autocapitalize="none"
          spellcheck={false}
          aria-invalid={p.error ? true : undefined}
          aria-describedby={notes || undefined}
          onInput={(e) => p.onValue(e.currentTarget.value)}
        />
        {p.suffix && (
          <span class="suffix" id={`${id}-suffix`}>
            {p.suffix}
          </span>
        )}
      </div>
      {p.hint && (
        <p class="hint" id={`${id}-hint`}>
          {p.hint}
        </p>
      )}
      {p.error && (
        <p class="error" id={`${id}-error`}>
          {p.error}
        </p>
      )}
    </div>
  );
}

const ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
export function makePassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(60));
  // 224 = 4 * 56: bytes from there on would make some letters likelier.
  return Array.from(bytes)
    .filter((b) => b < 224)
    .slice(0, 18)
    .map((b) => ALPHABET[b % ALPHABET.length])
    .join("");
}

/** A new password: typed, or made and shown. */
export function NewPassword(p: { value: string; onValue: (v: string) => void; error?: string; isShown?: boolean }) {
  const [isShown, show] = useState(!!p.isShown);
  return (
    <div class="with-buttons">
      <Field
        label="Password"
        type={isShown ? "text" : "password"}
        autocomplete="new-password"
        value={p.value}
        onValue={p.onValue}
        error={p.error}
        hint="At least 8 characters; a made one is best."
        required
      />
      <div class="row">
        <button
          type="button"
          onClick={() => {
            p.onValue(makePassword());
            show(true);
          }}
        >
          Make one
        </button>
        <button type="button" aria-pressed={isShown} onClick={() => show(!isShown)}>
          {isShown ? "Hide" : "Show"}
        </button>
        {isShown && p.value && <Copy text={p.value} />}
      </div>
    </div>
  );
}

/** A modal dialog; Escape and the backdrop close it. */
export function Dialog(p: { title: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        p.onClose();
      }}
      onClick={(e) => e.target === ref.current && p.onClose()}
    >
      <div class="dialog">
        <h2 id={id}>{p.title}</h2>
        {p.children}
      </div>
    </dialog>
  );
}

/** Irreversible: the name has to be typed. */
export function TypedConfirm(p: {
  title: string;
  name: string;
  effect: string;
  button: string;
  onConfirm: () => Promise<void>;
  onClose: () => void;
}) {
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  return (
    <Dialog title={p.title} onClose={p.onClose}>
      <p>{p.effect}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (typed !== p.name) return;
          p.onConfirm().catch((x) => x instanceof Problem && setProblem(x));
        }}
      >
        <Field label={`Type ${p.name} to confirm`} value={typed} onValue={setTyped} autofocus />
        {problem && <Notice problem={problem} />}
        <div class="row end">
          <button type="button" onClick={p.onClose}>
            Keep it
          </button>
          <button class="danger" disabled={typed !== p.name}>
            {p.button}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function Quota({ used, quota }: { used: number; quota: number | null }) {
  if (!quota) return <span>{size(used)}</span>;
  const share = Math.min(100, Math.round((used / quota) * 100));
  return (
    <span class="quota">
      <progress max={100} value={share} aria-label={`${share} % of the quota`} />
      <span>
        {size(used)} of {size(quota)}
      </span>
    </span>
  );
}

/** Fifty points or fewer, as bars; a table for those who do not see them. */
export function Bars(p: { points: number[]; label: string; tall?: boolean; tone?: string }) {
  const max = Math.max(1, ...p.points);
  const width = 100 / Math.max(1, p.points.length);
  const total = p.points.reduce((a, b) => a + b, 0);
  return (
    <svg
      class={`bars ${p.tall ? "tall" : ""} ${p.tone ?? ""}`}
      viewBox="0 0 100 30"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${p.label}: ${total} in all, at most ${max} in one step`}
    >
      {p.points.map((n, i) => (
        <rect
          key={i}
          x={i * width + width * 0.1}
          width={width * 0.8}
          y={30 - Math.max(n ? 1.5 : 0.4, (n / max) * 29)}
          height={Math.max(n ? 1.5 : 0.4, (n / max) * 29)}
        />
      ))}
    </svg>
  );
}

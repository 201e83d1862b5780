import { asCurl } from "../lib/api";
import { clock, dayHere, exact, millis, now, plural, size, visible } from "../lib/format";
import { useResource } from "../lib/resource";
import { query, setQuery, usePageName } from "../lib/router";
import type { Reason, TraceDetail, TraceEvent } from "../lib/types";
import { Copy, Fact, Notice, Quoted, Since, State, When } from "../ui/parts";
import { queueAction } from "./queue";

const MARKED = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|\bmtr_[0-9a-z]{16}\b)/;

/** Times in an event's text as people read them, and other messages with the way to them. */
function Told({ text }: { text: string }) {
  return (
    <>
      {text.split(MARKED).map((part, i) => {
        if (i % 2 === 0) return part && <Quoted key={i} text={part} />;
        return part.startsWith("mtr_") ? (
          <a key={i} href={`/messages/${part}`}>
            {part}
          </a>
        ) : (
          <When key={i} at={part} />
        );
      })}
    </>
  );
}

/** before: the step that came before it, where a new day is to be told. */
export function Step({ e, before, isRaw }: { e: TraceEvent; before?: TraceEvent; isRaw: boolean }) {
  return (
    <li class={`step ${e.level}`}>
      <time dateTime={e.time} title={exact(e.time)}>
        {before && dayHere(before.time) !== dayHere(e.time) && (
          <>
            <strong>{dayHere(e.time)}</strong>
            <br />
          </>
        )}
        {millis(e.time)}
      </time>
      <span class="offset">+{e.offset_ms < 10000 ? `${e.offset_ms} ms` : clock(e.offset_ms / 1000)}</span>
      <div>
        <Told text={e.text} />
        {isRaw && (
          <pre>
            {e.event}
            {Object.entries(e.fields).map(([k, v]) => (
              <span key={k}>
                {"\n"}
                {k}=<Quoted text={v} />
              </span>
            ))}
          </pre>
        )}
      </div>
    </li>
  );
}

type Recipient = TraceDetail["recipients"][number];

/** Plain words first; then what was said in full, where it says more. */
function Why({ reason }: { reason: Reason }) {
  const { plain, text } = reason;
  const isTold = text.toLowerCase().startsWith(plain.toLowerCase());
  const rest = isTold ? text.slice(plain.length).replace(/^[\s:;,.]+/, "") : text;
  return (
    <p>
      {plain}
      {rest && (
        <>
          {" – "}
          <span class="faint">
            <Quoted text={rest} />
          </span>
        </>
      )}
    </p>
  );
}

function RecipientRow({ r, reload }: { r: Recipient; reload: () => void }) {
  const next = r.next_try_at && (Date.parse(r.next_try_at) - now.value) / 1000;
  return (
    <li>
      <State of={r.verdict} /> <Quoted text={r.address} />
      {r.mailbox && <span> in {r.mailbox}</span>}
      {r.reason && <Why reason={r.reason} />}
      {next !== null && next !== "" && (
        <p>
          {plural(r.attempts, "try", "tries")} so far, next {next > 0 ? `in ${clock(next)}` : "now"}
        </p>
      )}
      {r.queue_id && (
        <p class="row">
          <button onClick={() => queueAction("retry", r.queue_id!, reload)}>Retry now</button>
          <a href={`/queue?q=${encodeURIComponent(`id:${r.queue_id}`)}`}>Hold, bounce or delete it in the queue</a>
        </p>
      )}
    </li>
  );
}

/** A connection that brought no message has a journey too. */
function nameless(t: TraceDetail): string {
  return t.id.startsWith("ses_") ? "A connection without a message" : "(no subject)";
}

export function Journey({ id }: { id: string }) {
  const path = `/traces/${encodeURIComponent(id)}`;
  const trace = useResource<TraceDetail>(path, {}, ["trace"]);
  const events = useResource<{ items: TraceEvent[]; truncated: boolean }>(`${path}/events`, {}, ["trace"]);
  const isRaw = query.value.get("details") === "1";
  const t = trace.data;
  const steps = events.data?.items;
  const isLoggedIn = steps?.some((e) => e.event === "auth.ok") || !steps?.some((e) => e.event === "auth.failed");
  usePageName(t ? visible(t.subject) || nameless(t) : undefined);
  if (trace.problem) return <Notice problem={trace.problem} retry={trace.reload} />;
  if (!t) return <p class="faint">…</p>;
  return (
    <>
      <p class="crumbs">
        <a href="/messages">Messages</a> › <code>{t.id}</code>
      </p>
      <div class="title">
        <h1>
          <Quoted text={t.subject} empty={nameless(t)} />
        </h1>
        <div class="row">
          <Copy text={t.id} label="Copy id" />
          <Copy text={location.href} label="Copy link" />
          <Copy text={asCurl("GET", `${path}/events`)} label="Copy as curl" />
        </div>
      </div>
      <p class="lead">
        <State of={t.verdict} /> {visible(t.summary)}
      </p>
      <dl class="facts">
        {(t.from || t.recipients.length > 0) && (
          <Fact name="From">
            <Quoted text={t.from} empty="<> (a bounce or notice)" />
          </Fact>
        )}
        <Fact name="When">
          <Since at={t.time} />
        </Fact>
        {t.size > 0 && (
          <Fact name="Size">{size(t.size)}</Fact>
        )}
        {t.ip && (
          <Fact name="Handed over by">
            {t.ip}
            {t.user && steps && (
              <>
                , {isLoggedIn ? "logged in" : "tried to log in"} as <Quoted text={t.user} />
              </>
            )}
          </Fact>
        )}
        {events.data?.items.some((e) => e.event === "smtp.mail" && e.fields["demand"] === "requiretls") && (
          <Fact name="Encryption">demanded all the way (REQUIRETLS)</Fact>
        )}
        {t.dmarc && (
          <Fact name="Sender proven">
            SPF {t.spf} · DKIM {t.dkim} · DMARC {t.dmarc}
          </Fact>
        )}
        {t.message_id && (
          <Fact name="Message-ID">
            <Quoted text={t.message_id} /> <Copy text={t.message_id} />
          </Fact>
        )}
      </dl>
      {t.recipients.length > 0 && (
        <section aria-labelledby="recipients">
          <h2 id="recipients">{plural(t.recipients.length, "recipient")}</h2>
          <ul class="recipients">
            {t.recipients.map((r) => (
              <RecipientRow key={r.address} r={r} reload={trace.reload} />
            ))}
          </ul>
        </section>
      )}
      <section aria-labelledby="journey">
        <div class="title">
          <h2 id="journey">Journey</h2>
          <label class="check">
            <input type="checkbox" checked={isRaw} onChange={(e) => setQuery({ details: e.currentTarget.checked ? "1" : undefined }, true)} />
            Protocol details
          </label>
        </div>
        {events.problem && <Notice problem={events.problem} retry={events.reload} />}
        <ol class="journey">
          {steps?.map((e, i, all) => <Step key={`${e.time}${i}`} e={e} before={all[i - 1]} isRaw={isRaw} />)}
        </ol>
        {events.data?.truncated && <p class="faint">There are more events than are shown here.</p>}
      </section>
    </>
  );
}

import { useEffect, useRef, useState } from "preact/hooks";
import { asCurl } from "../lib/api";
import { plural, size } from "../lib/format";
import { useResource } from "../lib/resource";
import { query, setQuery } from "../lib/router";
import type { Page, Trace } from "../lib/types";
import { Copy, Empty, Notice, Quoted, State, When } from "../ui/parts";
import { Pager, Table, type Column } from "../ui/table";
import { CheckSender } from "./check_sender";

const DIRECTIONS = { in: "in", out: "out", own: "own" };

const columns: Column<Trace>[] = [
  {
    name: "Time",
    cell: (t) => (
      <a href={`/messages/${t.id}`}>
        <When at={t.time} />
      </a>
    ),
  },
  { name: "Dir", cell: (t) => DIRECTIONS[t.direction] ?? t.direction },
  // A refusal before MAIL has no sender: that is no bounce.
  { name: "From", cell: (t) => <Quoted text={t.from || (t.to ? "" : (t.user ?? ""))} empty={t.to ? "bounce" : undefined} /> },
  {
    name: "To",
    cell: (t) => (
      <>
        <Quoted text={t.to} />
        {t.more_recipients > 0 && <span class="faint"> +{t.more_recipients}</span>}
      </>
    ),
  },
  { name: "Subject", cell: (t) => <Quoted text={t.subject} /> },
  { name: "Verdict", cell: (t) => <State of={t.verdict} /> },
  { name: "Why", cell: (t) => (t.reason ? t.reason.plain || <Quoted text={t.reason.text} /> : "") },
  { name: "Size", cell: (t) => (t.size ? size(t.size) : ""), right: true },
];

export function TraceTable({ rows, label }: { rows: Trace[]; label: string }) {
  return <Table label={label} class="trace" rows={rows} columns={columns} open={(t) => `/messages/${t.id}`} />;
}

const VERDICTS = ["delivered", "deferred", "bounced", "refused", "expired"];

/** A pasted header or bounce becomes the question that finds its message. */
function questionOf(text: string): string {
  if (!text.includes("\n") && text.length < 300) return text;
  const trace = text.match(/\bmtr_[0-9a-z]{16}\b/);
  if (trace) return `id:${trace[0]}`;
  const id = text.match(/^Message-ID:\s*(<[^>\s]+>)/im);
  return id ? `msgid:${id[1]}` : text.split("\n")[0]!.slice(0, 200);
}

/** The list never jumps under the reader: what is shown follows its news in place, what is new
    waits to be asked for. */
function useStill(page: Page<Trace> | null, key: string): { rows: Trace[]; news: number; show: () => void } {
  const [shown, setShown] = useState<{ key: string; ids: string[] }>({ key: "", ids: [] });
  const known = useRef(new Map<string, Trace>());
  const show = () => {
    known.current.clear();
    if (page) setShown({ key, ids: page.items.map((t) => t.id) });
  };
  useEffect(() => {
    if (page && (shown.key !== key || !shown.ids.length)) show();
  }, [page, key]);
  const ids = shown.key === key ? shown.ids : (page?.items.map((t) => t.id) ?? []);
  for (const t of page?.items ?? []) known.current.set(t.id, t);
  const rows = ids.flatMap((id) => known.current.get(id) ?? []);
  return { rows, news: page?.items.filter((t) => !ids.includes(t.id)).length ?? 0, show };
}

export function Messages() {
  const q = query.value.get("q") ?? "";
  const cursor = query.value.get("cursor") ?? undefined;
  const [text, setText] = useState(q);
  const list = useResource<Page<Trace>>("/traces", { q, cursor, limit: 50 }, ["trace"]);
  const still = useStill(list.data, `${q} ${cursor}`);
  useEffect(() => setText(q), [q]);
  const verdict = q.match(/(?:^|\s)verdict:(\w+)/)?.[1];

  function ask(question: string) {
    setQuery({ q: questionOf(question).trim(), cursor: undefined });
  }
  function withVerdict(word: string | undefined): string {
    const rest = q.replace(/(?:^|\s)-?verdict:\w+/g, "").trim();
    return word ? `${rest} verdict:${word}`.trim() : rest;
  }

  return (
    <>
      <div class="title">
        <h1>Messages</h1>
        <Copy text={asCurl("GET", "/traces", { q })} label="Copy as curl" />
      </div>
      <form
        class="filter"
        role="search"
        onSubmit={(e) => {
          e.preventDefault();
          ask(text);
        }}
      >
        <textarea
          rows={1}
          aria-label="Filter, or paste the headers of a message"
          placeholder="to:ann@example.com time:yesterday -verdict:delivered, or paste headers"
          value={text}
          spellcheck={false}
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key === "Enter" && !e.shiftKey) {
              e.preventDefault();
              ask(text);
            }
          }}
        />
        <button class="main">Find</button>
      </form>
      <div class="chips" role="group" aria-label="Verdict">
        <button class="chip" aria-pressed={!verdict} onClick={() => ask(withVerdict(undefined))}>
          all
        </button>
        {VERDICTS.map((v) => (
          <button class="chip" key={v} aria-pressed={verdict === v} onClick={() => ask(withVerdict(v))}>
            {v}
          </button>
        ))}
      </div>
      {still.news > 0 && !cursor && (
        <button class="news" onClick={still.show}>
          {plural(still.news, "new message")}: show
        </button>
      )}
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data &&
        (list.data.items.length ? (
          <>
            <TraceTable rows={still.rows} label="Messages, newest first" />
            <Pager prev={list.data.prev} next={list.data.next} words={["Newer", "Older"]} onGo={(c) => setQuery({ cursor: c })} />
          </>
        ) : (
          <Empty title={q ? "Nothing found" : "No messages yet"}>
            {q ? (
              <p>
                Refused connections are recorded too: if it is not here, it has not reached this server.{" "}
                <a href="/messages">Show everything</a>
              </p>
            ) : (
              <p>Every message and every refusal is listed here, newest first, as soon as it happens.</p>
            )}
          </Empty>
        ))}
      <CheckSender />
    </>
  );
}

import { useEffect, useState } from "preact/hooks";
import { asCurl } from "../lib/api";
import { size } from "../lib/format";
import { onLive } from "../lib/live";
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
  { name: "From", cell: (t) => <Quoted text={t.from} empty="bounce" /> },
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
  return <Table label={label} rows={rows} columns={columns} open={(t) => `/messages/${t.id}`} />;
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

export function Messages() {
  const q = query.value.get("q") ?? "";
  const cursor = query.value.get("cursor") ?? undefined;
  const [text, setText] = useState(q);
  const [news, setNews] = useState(0);
  const list = useResource<Page<Trace>>("/traces", { q, cursor, limit: 50 });
  useEffect(() => setText(q), [q]);
  // The list never jumps under the reader: what is new waits behind a button.
  useEffect(() => onLive(["trace"], () => setNews((n) => n + 1)), []);
  const verdict = q.match(/(?:^|\s)verdict:(\w+)/)?.[1];

  function ask(question: string) {
    setQuery({ q: questionOf(question).trim(), cursor: undefined });
    setNews(0);
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
      {news > 0 && !cursor && (
        <button
          class="news"
          onClick={() => {
            setNews(0);
            list.reload();
          }}
        >
          There is news: show it
        </button>
      )}
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data &&
        (list.data.items.length ? (
          <>
            <TraceTable rows={list.data.items} label="Messages, newest first" />
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

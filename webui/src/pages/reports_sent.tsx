// Reports that were sent to other domains on what this server saw of them.
import { BASE, asCurl } from "../lib/api";
import { count, plural, size } from "../lib/format";
import { useResource } from "../lib/resource";
import { query, setQuery } from "../lib/router";
import type { Page, SentReport } from "../lib/types";
import { Copy, Empty, Notice, Quoted, State, When } from "../ui/parts";
import { Pager, Table, type Column } from "../ui/table";

const STATES = ["queued", "sent", "failed", "refused"];

function To({ r }: { r: SentReport }) {
  return (
    <>
      <Quoted text={r.recipients.join(", ")} empty="nobody" />
      {r.reason && (
        <details>
          <summary>{r.recipients.length && r.state !== "failed" ? "Not to all" : "Why not"}</summary>
          <Quoted text={r.reason} />
        </details>
      )}
    </>
  );
}

const columns: Column<SentReport>[] = [
  { name: "Day", cell: (r) => r.day },
  { name: "Kind", cell: (r) => r.kind.toUpperCase() },
  { name: "On", cell: (r) => <Quoted text={r.domain} /> },
  {
    name: "Counted",
    cell: (r) => (
      <>
        {plural(r.count, r.kind === "tls" ? "session" : "message")}
        {r.left_out > 0 && <span class="faint"> {count(r.left_out)} without a row</span>}
      </>
    ),
  },
  { name: "To", cell: (r) => <To r={r} /> },
  {
    name: "State",
    cell: (r) => (r.trace_id ? <a href={`/messages/${r.trace_id}`}><State of={r.state} /></a> : <State of={r.state} />),
  },
  { name: "Made", cell: (r) => <When at={r.made_at} /> },
  {
    name: "Document",
    cell: (r) =>
      r.size > 0 ? (
        <a href={`${BASE}/reports/sent/${r.id}/raw`} download="" title={`${size(r.size)} packed`}>
          {r.kind === "tls" ? "JSON" : "XML"}
        </a>
      ) : (
        ""
      ),
  },
];

export function SentTab() {
  const q = query.value;
  const ask = { kind: q.get("kind") ?? undefined, state: q.get("state") ?? undefined, cursor: q.get("cursor") ?? undefined, limit: 50 };
  const list = useResource<Page<SentReport>>("/reports/sent", ask, ["report"]);
  const isFiltered = !!(ask.kind || ask.state || ask.cursor);
  return (
    <>
      <form class="row" onSubmit={(e) => e.preventDefault()}>
        <label>
          Kind{" "}
          <select value={ask.kind ?? ""} onChange={(e) => setQuery({ kind: e.currentTarget.value, cursor: undefined })}>
            <option value="">both</option>
            <option value="dmarc">DMARC</option>
            <option value="tls">TLS</option>
          </select>
        </label>
        <label>
          State{" "}
          <select value={ask.state ?? ""} onChange={(e) => setQuery({ state: e.currentTarget.value, cursor: undefined })}>
            <option value="">any</option>
            {STATES.map((s) => (
              <option key={s} value={s}>
                {s}
              </option>
            ))}
          </select>
        </label>
      </form>
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data?.items.length === 0 && (
        <Empty title={isFiltered ? "No such reports" : "No report was sent yet"}>
          <p>
            Domains whose records ask for it are told once a day what this server saw of them: who sent mail in their name (DMARC), and how well
            their mail servers could be reached over TLS. The first reports go out in the night after the first such mail, from a domain of
            yours whose DKIM key signs.
          </p>
          <p>
            <a href="/settings">Settings: reports</a>
          </p>
        </Empty>
      )}
      {!!list.data?.items.length && (
        <section aria-labelledby="sent">
          <div class="title">
            <h2 id="sent">What others were told</h2>
            <Copy text={asCurl("GET", "/reports/sent", ask)} label="Copy as curl" />
          </div>
          <Table label="Reports that were sent" rows={list.data.items} columns={columns} />
          <Pager prev={null} next={list.data.next} onGo={(cursor) => setQuery({ cursor })} words={["Newer", "Older"]} />
        </section>
      )}
    </>
  );
}

// What others saw of our domains: DMARC and TLS reports, added up, and one by one.
import type { ComponentChildren } from "preact";
import { BASE, asCurl } from "../lib/api";
import { count, day, plural, size } from "../lib/format";
import { useResource } from "../lib/resource";
import { query, setQuery } from "../lib/router";
import type { DmarcOrigin, DmarcSums, Domain, Page, ReceivedReport, ReportSums, ReportWithRows, TlsSums } from "../lib/types";
import { Bars, Copy, Day, Empty, Fact, Notice, Quoted, State, Tabs, When } from "../ui/parts";
import { Pager, Table, type Column } from "../ui/table";
import { SentTab } from "./reports_sent";

const DAY = 86400e3;
const PERIODS: [days: string, label: string][] = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["400", "all there is"],
];
export const REPORT_TABS: [id: string, label: string][] = [
  ["", "DMARC"],
  ["tls", "TLS"],
  ["received", "Received"],
  ["sent", "Sent"],
];

/** 9920 of 10000 is "99.2 %"; all but one of many is never "100 %". */
export function percent(part: number, all: number): string {
  if (!all) return "–";
  const share = Math.floor((part / all) * 1000) / 10;
  return `${part === all ? 100 : Math.min(share, 99.9)} %`;
}

/** What the filters say, as the API wants it. The time is that of the day's beginning, so
 * that it is the same question all day. */
function useFilters() {
  const days = query.value.get("days") ?? "30";
  const today = Math.floor(Date.now() / DAY) * DAY;
  return {
    days: Number(days),
    ask: {
      domain: query.value.get("domain") ?? undefined,
      from: days === "30" ? undefined : new Date(today - Number(days) * DAY).toISOString(),
      unproven: query.value.get("unproven") ?? undefined,
      cursor: query.value.get("cursor") ?? undefined,
    },
  };
}

function Filters({ left }: { left: number }) {
  const domains = useResource<Page<Domain>>("/domains", { limit: 500 }, ["admin"]);
  const q = query.value;
  return (
    <form class="row" onSubmit={(e) => e.preventDefault()}>
      <label>
        Domain{" "}
        <select value={q.get("domain") ?? ""} onChange={(e) => setQuery({ domain: e.currentTarget.value, cursor: undefined })}>
          <option value="">all</option>
          {domains.data?.items.map((d) => (
            <option key={d.name} value={d.name}>
              {d.name_unicode || d.name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Time{" "}
        <select
          value={q.get("days") ?? "30"}
          onChange={(e) => setQuery({ days: e.currentTarget.value === "30" ? undefined : e.currentTarget.value, cursor: undefined })}
        >
          {PERIODS.map(([days, label]) => (
            <option key={days} value={days}>
              {label}
            </option>
          ))}
        </select>
      </label>
      {(left > 0 || q.get("unproven")) && (
        <label class="check">
          <input
            type="checkbox"
            checked={!!q.get("unproven")}
            onChange={(e) => setQuery({ unproven: e.currentTarget.checked ? "true" : undefined, cursor: undefined })}
          />
          Count {plural(left, "report")} whose sender is not proven: anybody could have written them
        </label>
      )}
    </form>
  );
}

/** One point a day, days without a report included, at most sixty of them. */
function pointsOf(sums: ReportSums, days: number, of: "aligned" | "secured" | "failed" | "reports"): number[] {
  const shown = Math.min(days, 60);
  const first = Math.floor(Date.now() / DAY) - shown;
  const points = new Array<number>(shown + 1).fill(0);
  for (const d of sums.days) {
    const at = Math.floor(Date.parse(d.day) / DAY) - first;
    if (at >= 0 && at <= shown) points[at]! += d[of] ?? 0;
  }
  return points;
}

function Figures({ sums, days, good, words }: { sums: ReportSums; days: number; good: "aligned" | "secured"; words: [good: string, bad: string, all: string] }) {
  const t = sums.totals;
  const part = t[good] ?? 0;
  return (
    <section class="figures" aria-label="In all">
      <div class="figure">
        <span class="figure-name">{words[0]}</span>
        <span class="figure-value">{percent(part, part + t.failed)}</span>
        <Bars points={pointsOf(sums, days, good)} label={`${words[0]}, day by day`} tone="good" />
        <span class="faint">
          {count(part)} of {count(part + t.failed)} {words[2]}
        </span>
      </div>
      <div class="figure">
        <span class="figure-name">{words[1]}</span>
        <span class="figure-value">{count(t.failed)}</span>
        <Bars points={pointsOf(sums, days, "failed")} label={`${words[1]}, day by day`} tone="bad" />
        <span class="faint">{words[2]}</span>
      </div>
      <div class="figure">
        <span class="figure-name">Reports</span>
        <span class="figure-value">{count(t.reports)}</span>
        <Bars points={pointsOf(sums, days, "reports")} label="Reports, day by day" />
        <span class="faint">from {plural(sums.reporters.length, "reporter")}</span>
      </div>
    </section>
  );
}

function Reporters({ sums, good, words }: { sums: ReportSums; good: "aligned" | "secured"; words: [good: string, bad: string] }) {
  const columns: Column<ReportSums["reporters"][number] & { id: string }>[] = [
    { name: "Reporter", cell: (r) => <Quoted text={r.name} /> },
    { name: "Sent by", cell: (r) => <Quoted text={r.sender} /> },
    { name: "Reports", cell: (r) => count(r.reports), right: true },
    { name: words[0], cell: (r) => count(r[good] ?? 0), right: true },
    { name: words[1], cell: (r) => count(r.failed), right: true },
    { name: "Up to", cell: (r) => (r.last_at ? <Day at={r.last_at} /> : "") },
  ];
  return (
    <section aria-labelledby="reporters">
      <h2 id="reporters">Who reported</h2>
      <Table label="Who reported" rows={sums.reporters.map((r) => ({ ...r, id: r.sender }))} columns={columns} />
    </section>
  );
}

/** What will be here, and when. */
function NothingYet({ kind, address, children }: { kind: string; address: string; children: ComponentChildren }) {
  return (
    <Empty title={`No ${kind} reports in this time`}>
      <p>
        {children} They come by mail to <code>{address}</code> at each of your domains, once a day from every server that sends them, the
        first a day or two after the record is published. They are read, and shown here.
      </p>
      <p>
        <a href="/domains">See the records of your domains</a>
      </p>
    </Empty>
  );
}

/* --- DMARC --- */

function Origin({ o }: { o: DmarcOrigin }) {
  const name = o.origin ?? o.source ?? "";
  if (!name) return <span class="faint">many more, with few messages each</span>;
  return (
    <>
      {o.service && o.origin ? (
        <a href={`/reports?${new URLSearchParams({ ...Object.fromEntries(query.value), origin: name })}`}>{o.service.name}</a>
      ) : (
        <Quoted text={name} />
      )}
      {o.ours && <span class="chip">this server</span>}
    </>
  );
}

function fate(o: DmarcOrigin): string {
  const parts = [
    o.rejected && `${count(o.rejected)} refused`,
    o.quarantined && `${count(o.quarantined)} to Junk`,
    o.failed > o.rejected + o.quarantined && `${count(o.failed - o.rejected - o.quarantined)} delivered all the same`,
  ].filter(Boolean);
  return parts.join(", ");
}

const originColumns: Column<DmarcOrigin & { id: string }>[] = [
  { name: "Who sent it", cell: (o) => <Origin o={o} /> },
  { name: "Messages", cell: (o) => count(o.messages), right: true },
  {
    name: "Aligned",
    cell: (o) => (
      <span title={`SPF ${count(o.aligned_spf)}, DKIM ${count(o.aligned_dkim)}`} class={o.failed ? "warn" : "good"}>
        {percent(o.aligned, o.messages)}
      </span>
    ),
    right: true,
  },
  { name: "The others were", cell: fate },
  {
    name: "Is this you?",
    cell: (o) =>
      o.advice ? (
        <details>
          <summary>What to do</summary>
          <p>{o.advice}</p>
          {o.domains.length > 0 && (
            <p class="faint">
              Proven by: <Quoted text={o.domains.join(", ")} />
            </p>
          )}
          {o.spf_term && <Copy text={o.spf_term} label={`Copy ${o.spf_term}`} />}
        </details>
      ) : (
        <State of="ok" />
      ),
  },
];

function DmarcTab() {
  const { days, ask } = useFilters();
  const origin = query.value.get("origin") ?? undefined;
  const list = useResource<DmarcSums>("/reports/dmarc", { ...ask, origin }, ["report"]);
  const s = list.data;
  return (
    <>
      <Filters left={s?.unproven_reports ?? 0} />
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {s && !s.totals.reports && (
        <NothingYet kind="DMARC" address="dmarc-reports@…">
          Servers that get mail with your domains in From tell who sent it, and whether SPF or DKIM proved it to be yours.
        </NothingYet>
      )}
      {!!s?.totals.reports && (
        <>
          {!origin && <Figures sums={s} days={days} good="aligned" words={["Aligned", "Not aligned", "messages"]} />}
          <section aria-labelledby="origins">
            <div class="title">
              <h2 id="origins">{origin ? `Addresses of ${s.items[0]?.service?.name ?? origin}` : "Who sent it"}</h2>
              {origin && (
                <a
                  href="/reports"
                  onClick={(e) => {
                    e.preventDefault();
                    setQuery({ origin: undefined, cursor: undefined });
                  }}
                >
                  Back to all
                </a>
              )}
              <Copy text={asCurl("GET", "/reports/dmarc", { ...ask, origin })} label="Copy as curl" />
            </div>
            <p class="faint">Aligned means: SPF or DKIM prove that the domain in From stands behind the message.</p>
            <Table
              label="Who sent mail with our domains in From"
              rows={s.items.map((o) => ({ ...o, id: o.origin ?? o.source ?? "" }))}
              columns={originColumns}
            />
            <Pager prev={null} next={s.next} onGo={(cursor) => setQuery({ cursor })} />
          </section>
          {!origin && <Reporters sums={s} good="aligned" words={["Aligned", "Not aligned"]} />}
        </>
      )}
    </>
  );
}

/* --- TLS --- */

const failureColumns: Column<TlsSums["items"][number] & { id: string }>[] = [
  { name: "Failure", cell: (f) => <Quoted text={f.kind} /> },
  { name: "Server", cell: (f) => <Quoted text={f.mx} empty="not said" /> },
  { name: "Sessions", cell: (f) => count(f.sessions), right: true },
  { name: "Last", cell: (f) => <Day at={f.last_at} /> },
  {
    name: "What it means",
    cell: (f) => (
      <>
        {f.meaning}
        {f.detail && (
          <details>
            <summary>Details</summary>
            <Quoted text={f.detail} />
          </details>
        )}
      </>
    ),
  },
];

function TlsTab() {
  const { days, ask } = useFilters();
  const list = useResource<TlsSums>("/reports/tls", ask, ["report"]);
  const s = list.data;
  return (
    <>
      <Filters left={s?.unproven_reports ?? 0} />
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {s && !s.totals.reports && (
        <NothingYet kind="TLS" address="tls-reports@…">
          Servers that bring you mail tell how often the connection could be secured, and what stood in the way.
        </NothingYet>
      )}
      {!!s?.totals.reports && (
        <>
          <Figures sums={s} days={days} good="secured" words={["Secured", "Failed", "sessions"]} />
          <section aria-labelledby="failures">
            <div class="title">
              <h2 id="failures">What failed</h2>
              <Copy text={asCurl("GET", "/reports/tls", ask)} label="Copy as curl" />
            </div>
            {s.items.length ? (
              <Table label="Failures by kind and server" rows={s.items.map((f) => ({ ...f, id: `${f.kind} ${f.mx}` }))} columns={failureColumns} />
            ) : (
              <p>Nothing: every session that was reported was secured.</p>
            )}
            <Pager prev={null} next={s.next} onGo={(cursor) => setQuery({ cursor })} />
          </section>
          <Reporters sums={s} good="secured" words={["Secured", "Failed"]} />
        </>
      )}
    </>
  );
}

/* --- one by one --- */

const reportColumns: Column<ReceivedReport>[] = [
  {
    name: "Day",
    cell: (r) => (
      <a href={`/reports/${r.id}`}>
        <Day at={r.begin} />
      </a>
    ),
  },
  { name: "Kind", cell: (r) => r.kind.toUpperCase() },
  { name: "Domain", cell: (r) => <Quoted text={r.about} /> },
  { name: "Reporter", cell: (r) => <Quoted text={r.reporter} /> },
  { name: "Sent by", cell: (r) => <Sender r={r} /> },
  { name: "Good", cell: (r) => count(r.good), right: true },
  { name: "Not", cell: (r) => count(r.bad), right: true },
];

function Sender({ r }: { r: ReceivedReport }) {
  return (
    <>
      <Quoted text={r.sender} empty="nobody knows" /> <State of={r.proven ? "verified" : "unverified"} />
    </>
  );
}

function ReceivedTab() {
  const { ask } = useFilters();
  const list = useResource<Page<ReceivedReport>>("/reports/received", { ...ask, unproven: true, limit: 50 }, ["report"]);
  return (
    <>
      <Filters left={0} />
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data?.items.length === 0 && (
        <NothingYet kind="DMARC or TLS" address="dmarc-reports@…, tls-reports@…">
          Each report is listed here as it came.
        </NothingYet>
      )}
      {!!list.data?.items.length && (
        <>
          <Table label="Reports" rows={list.data.items} columns={reportColumns} open={(r) => `/reports/${r.id}`} />
          <Pager prev={null} next={list.data.next} onGo={(cursor) => setQuery({ cursor })} words={["Newer", "Older"]} />
        </>
      )}
    </>
  );
}

const rowColumns: Column<ReportWithRows["items"][number] & { id: string }>[] = [
  { name: "From address", cell: (r) => <Quoted text={r.source} /> },
  { name: "Name", cell: (r) => <Quoted text={r.name} /> },
  { name: "Count", cell: (r) => count(r.count), right: true },
  { name: "Good", cell: (r) => <State of={r.good ? "ok" : "fail"} /> },
  { name: "Done", cell: (r) => <Quoted text={r.done} /> },
  { name: "Details", cell: (r) => <Quoted text={r.detail} /> },
];

export function ReportPage({ id }: { id: string }) {
  const path = `/reports/received/${encodeURIComponent(id)}`;
  const report = useResource<ReportWithRows>(path);
  const r = report.data;
  if (report.problem) return <Notice problem={report.problem} retry={report.reload} />;
  if (!r) return <p class="faint">…</p>;
  return (
    <>
      <p class="crumbs">
        <a href="/reports?tab=received">Reports</a> ›
      </p>
      <div class="title">
        <h1>
          {r.kind.toUpperCase()} report on <Quoted text={r.about} />
        </h1>
        <Copy text={asCurl("GET", path)} label="Copy as curl" />
      </div>
      {!r.proven && (
        <p class="notice warn">
          Nothing proves that the mail with this report came from <Quoted text={r.sender} empty="whom it names" />. It is left out of all
          sums: anybody could have written it.
        </p>
      )}
      <dl class="facts">
        <Fact name="Reporter">
          <Quoted text={r.reporter} />
        </Fact>
        <Fact name="Sent by">
          <Sender r={r} />
        </Fact>
        <Fact name="Time">
          <Day at={r.begin} />
          {day(r.begin) !== day(r.end) && (
            <>
              {" "}
              to <Day at={r.end} />
            </>
          )}
        </Fact>
        <Fact name="Its id">
          <Quoted text={r.report_id} />
        </Fact>
        <Fact name="Came">
          <a href={`/messages/${r.trace_id}`}>
            <When at={r.received_at} />
          </a>
        </Fact>
        <Fact name="Document">
          {r.raw_bytes ? (
            <a href={`${BASE}${path}/raw`} download="">
              Download {r.kind === "tls" ? "JSON" : "XML"}
            </a>
          ) : (
            "was too large to keep"
          )}
          {r.raw_bytes > 0 && <span class="faint"> {size(r.raw_bytes)} packed</span>}
        </Fact>
      </dl>
      <Table label="Its rows" rows={r.items.map((row, i) => ({ ...row, id: String(i) }))} columns={rowColumns} />
    </>
  );
}

export function Reports() {
  const wanted = query.value.get("tab") ?? "";
  const tab = REPORT_TABS.some(([id]) => id === wanted) ? wanted : "";
  return (
    <>
      <div class="title">
        <h1>Reports</h1>
      </div>
      <Tabs label="Kinds of reports" base="/reports" tabs={REPORT_TABS} at={tab} />
      {tab === "" && <DmarcTab />}
      {tab === "tls" && <TlsTab />}
      {tab === "received" && <ReceivedTab />}
      {tab === "sent" && <SentTab />}
    </>
  );
}

// What other domains demand of the way to them (MTA-STS), as it was fetched.
import { useEffect, useState } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { useResource } from "../lib/resource";
import { query, setQuery } from "../lib/router";
import type { Page, TlsPolicy } from "../lib/types";
import { Copy, Empty, Notice, Quoted, State, When } from "../ui/parts";
import { Pager, Table, type Column } from "../ui/table";
import { toast } from "../ui/toast";

const MEANINGS: Record<NonNullable<TlsPolicy["mode"]>, string> = {
  enforce: "only to these hosts, and only with a right certificate",
  testing: "told in TLS reports, and delivered anyway",
  none: "it demands nothing any more",
};

async function fetchNow(p: TlsPolicy, reload: () => void): Promise<void> {
  try {
    await call("POST", `/tls-policies/${encodeURIComponent(p.domain)}/fetch`);
    toast(`The policy of ${p.domain} is being fetched`);
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    toast(e.message);
  }
  reload();
}

type Row = TlsPolicy & { id: string };

function columnsFor(reload: () => void): Column<Row>[] {
  return [
    { name: "Domain", cell: (p) => <Quoted text={p.domain} /> },
    {
      name: "Demands",
      cell: (p) =>
        p.mode ? (
          <span title={MEANINGS[p.mode]}>
            <State of={p.mode} /> {p.state === "expired" && <span class="faint">expired</span>}
          </span>
        ) : (
          <span class="faint">nothing: no policy was to be had</span>
        ),
    },
    { name: "Hosts", cell: (p) => <Quoted text={p.mx.join(", ")} empty="none" /> },
    { name: "Id", cell: (p) => <Quoted text={p.policy_id ?? ""} empty="–" /> },
    { name: "Fetched", cell: (p) => (p.fetched_at ? <When at={p.fetched_at} /> : "–") },
    { name: "Expires", cell: (p) => (p.expires_at ? <When at={p.expires_at} /> : "–") },
    {
      name: "Last failure",
      cell: (p) =>
        p.failed_at ? (
          <>
            <When at={p.failed_at} />: <Quoted text={p.reason ?? ""} />
          </>
        ) : (
          <span class="faint">none since</span>
        ),
    },
    {
      name: "Do",
      cell: (p) => (
        <button disabled={p.fetching} onClick={() => void fetchNow(p, reload)}>
          {p.fetching ? "Fetching…" : "Fetch now"}
        </button>
      ),
    },
  ];
}

export function TlsPolicies() {
  const search = query.value.get("search") ?? "";
  const [text, setText] = useState(search);
  useEffect(() => setText(search), [search]);
  const ask = { search: search || undefined, cursor: query.value.get("cursor") ?? undefined, limit: 50 };
  const list = useResource<Page<TlsPolicy>>("/tls-policies", ask, ["queue"]);
  return (
    <section aria-labelledby="policies">
      <div class="title">
        <h2 id="policies">What other domains demand</h2>
        <Copy text={asCurl("GET", "/tls-policies", ask)} label="Copy as curl" />
      </div>
      <form
        class="filter"
        role="search"
        onSubmit={(e) => {
          e.preventDefault();
          setQuery({ search: text.trim() || undefined, cursor: undefined });
        }}
      >
        <input
          type="search"
          aria-label="Part of the name"
          placeholder="example.com"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <button class="main">Find</button>
      </form>
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data?.items.length === 0 && (
        <Empty title={search ? "No such domain" : "No policy is kept"}>
          <p>
            A domain that demands encryption says so with MTA-STS. Its policy is fetched when mail is first sent there, kept until it expires, and
            obeyed: mail waits rather than going to the wrong server, or in the clear.
          </p>
        </Empty>
      )}
      {!!list.data?.items.length && (
        <>
          <Table
            label="Policies of other domains"
            rows={list.data.items.map((p) => ({ ...p, id: p.domain }))}
            columns={columnsFor(list.reload)}
          />
          <Pager prev={list.data.prev} next={list.data.next} onGo={(cursor) => setQuery({ cursor })} />
        </>
      )}
    </section>
  );
}

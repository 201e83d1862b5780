import { useState } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { count } from "../lib/format";
import { useResource } from "../lib/resource";
import { query, setQuery } from "../lib/router";
import type { Domain, Page } from "../lib/types";
import { Copy, Dialog, Empty, Field, Notice, Quoted, State } from "../ui/parts";
import { Pager, Table, type Column } from "../ui/table";
import { toast } from "../ui/toast";

const columns: Column<Domain>[] = [
  {
    name: "Domain",
    cell: (d) => (
      <a href={`/domains/${encodeURIComponent(d.name)}`}>
        <Quoted text={d.name_unicode || d.name} />
        {d.name_unicode && d.name_unicode !== d.name && <span class="faint"> {d.name}</span>}
      </a>
    ),
  },
  { name: "State", cell: (d) => <State of={d.state} /> },
  { name: "Accounts", cell: (d) => count(d.accounts), right: true },
  { name: "Aliases", cell: (d) => count(d.aliases), right: true },
  { name: "Catch-all", cell: (d) => (d.catch_all?.length ? d.catch_all.join(", ") : <span class="faint">none</span>) },
];

function AddDomain({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  async function submit() {
    try {
      await call("POST", "/domains", { body: { name: name.trim() } });
      toast(`${name.trim()} added`);
      onDone();
      onClose();
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      setProblem(p);
    }
  }
  return (
    <Dialog title="Add a domain" onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        <Field label="Domain" value={name} onValue={setName} placeholder="example.com" error={problem?.field("/name")} hint="What stands behind the @ of its addresses." required autofocus />
        {problem && !problem.field("/name") && <Notice problem={problem} />}
        <div class="row end">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="main">Add domain</button>
        </div>
      </form>
    </Dialog>
  );
}

export function Domains() {
  const cursor = query.value.get("cursor") ?? undefined;
  const list = useResource<Page<Domain>>("/domains", { cursor }, ["admin"]);
  const [isAdding, setAdding] = useState(false);
  return (
    <>
      <div class="title">
        <h1>Domains</h1>
        <div class="row">
          <Copy text={asCurl("GET", "/domains")} label="Copy as curl" />
          <button class="main" onClick={() => setAdding(true)}>
            Add domain
          </button>
        </div>
      </div>
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data &&
        (list.data.items.length ? (
          <>
            <Table label="Domains" rows={list.data.items} columns={columns} open={(d) => `/domains/${encodeURIComponent(d.name)}`} />
            <Pager prev={list.data.prev} next={list.data.next} onGo={(c) => setQuery({ cursor: c })} />
          </>
        ) : (
          <Empty title="No domain yet">
            <p>A domain is what stands behind the @. Mail for its addresses is taken in as soon as it is here and its MX record points to this server.</p>
            <p>
              <a class="button main" href="/setup">
                Set up your first domain, step by step
              </a>
            </p>
          </Empty>
        ))}
      {isAdding && <AddDomain onClose={() => setAdding(false)} onDone={list.reload} />}
    </>
  );
}

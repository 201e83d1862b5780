import { useEffect, useState } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { count } from "../lib/format";
import { useResource } from "../lib/resource";
import { query, setQuery } from "../lib/router";
import type { Account, Alias, Page, Resolution, ResolutionNode } from "../lib/types";
import { Ago, Copy, Dialog, Empty, Field, NewPassword, Notice, Quota, Quoted, State } from "../ui/parts";
import { Pager, Table, type Column } from "../ui/table";
import { toast } from "../ui/toast";

const accountColumns: Column<Account>[] = [
  {
    name: "Address",
    cell: (a) => (
      <a href={`/accounts/${encodeURIComponent(a.address)}`}>
        <Quoted text={a.address} />
      </a>
    ),
  },
  { name: "Name", cell: (a) => <Quoted text={a.name} empty="" /> },
  { name: "State", cell: (a) => <State of={a.state} /> },
  { name: "Used", cell: (a) => <Quota used={a.used_bytes} quota={a.quota_bytes} /> },
  { name: "Messages", cell: (a) => count(a.messages), right: true },
  { name: "Last login", cell: (a) => (a.last_login_at ? <Ago at={a.last_login_at} /> : <span class="faint">never</span>) },
];

function AddAccount(p: { domain?: string; onClose: () => void; onDone: () => void }) {
  const [address, setAddress] = useState(p.domain ? `@${p.domain}` : "");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  async function submit() {
    try {
      await call("POST", "/accounts", { body: { address: address.trim(), name, password } });
      toast(`${address.trim()} added`);
      p.onDone();
      p.onClose();
    } catch (x) {
      if (!(x instanceof Problem)) throw x;
      setProblem(x);
    }
  }
  const isElsewhere = problem && !["/address", "/name", "/password"].some((f) => problem.field(f));
  return (
    <Dialog title="Add an account" onClose={p.onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        <Field label="Address" value={address} onValue={setAddress} placeholder="ann@example.com" error={problem?.field("/address")} required autofocus />
        <Field label="Name of the person" value={name} onValue={setName} error={problem?.field("/name")} />
        <NewPassword value={password} onValue={setPassword} error={problem?.field("/password")} />
        {isElsewhere && <Notice problem={problem} />}
        <div class="row end">
          <button type="button" onClick={p.onClose}>
            Cancel
          </button>
          <button class="main">Add account</button>
        </div>
      </form>
    </Dialog>
  );
}

export function AccountList({ domain }: { domain?: string }) {
  const cursor = query.value.get("accounts") ?? undefined;
  const search = query.value.get("find") ?? "";
  const [isAdding, setAdding] = useState(false);
  const list = useResource<Page<Account>>("/accounts", { domain, search, cursor }, ["admin", "message"]);
  return (
    <section aria-labelledby="accounts">
      <div class="title">
        <h2 id="accounts">Accounts</h2>
        <div class="row">
          <Copy text={asCurl("GET", "/accounts", { domain, search })} label="Copy as curl" />
          <button class="main" onClick={() => setAdding(true)}>
            Add account
          </button>
        </div>
      </div>
      <div class="filter">
        <input type="search" aria-label="Find an account" placeholder="Part of an address or name" value={search} onInput={(e) => setQuery({ find: e.currentTarget.value, accounts: undefined }, true)} />
      </div>
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data &&
        (list.data.items.length ? (
          <>
            <Table label="Accounts" rows={list.data.items} columns={accountColumns} open={(a) => `/accounts/${encodeURIComponent(a.address)}`} />
            <Pager prev={list.data.prev} next={list.data.next} onGo={(c) => setQuery({ accounts: c })} />
          </>
        ) : (
          <Empty title={search ? "No account fits" : "No account yet"}>
            {!search && <p>An account is a person or a program with a mailbox, a password and an address.</p>}
          </Empty>
        ))}
      {isAdding && <AddAccount domain={domain} onClose={() => setAdding(false)} onDone={list.reload} />}
    </section>
  );
}

function EditAlias(p: { alias?: Alias; domain?: string; onClose: () => void; onDone: () => void }) {
  const [address, setAddress] = useState(p.alias?.address ?? (p.domain ? `@${p.domain}` : ""));
  const [targets, setTargets] = useState(p.alias?.targets.join(", ") ?? "");
  const [problem, setProblem] = useState<Problem | null>(null);
  async function submit() {
    const list = targets.split(/[\s,;]+/).filter(Boolean);
    try {
      if (p.alias)
        await call("PATCH", `/aliases/${encodeURIComponent(p.alias.address)}`, { etag: p.alias.etag, body: { targets: list } });
      else await call("POST", "/aliases", { body: { address: address.trim(), targets: list } });
      toast(`${address.trim()} ${p.alias ? "changed" : "added"}`);
      p.onDone();
      p.onClose();
    } catch (x) {
      if (!(x instanceof Problem)) throw x;
      setProblem(x);
    }
  }
  const isElsewhere = problem && !problem.field("/address") && !problem.field("/targets");
  return (
    <Dialog title={p.alias ? `Change ${p.alias.address}` : "Add an alias"} onClose={p.onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        {!p.alias && (
          <Field
            label="Address"
            value={address}
            onValue={setAddress}
            hint="*@example.com takes what no other address takes."
            error={problem?.field("/address")}
            required
            autofocus
          />
        )}
        <Field label="Goes to" value={targets} onValue={setTargets} hint="One or more addresses, with commas between them." error={problem?.field("/targets")} required autofocus={!!p.alias} />
        {isElsewhere && <Notice problem={problem} />}
        <div class="row end">
          <button type="button" onClick={p.onClose}>
            Cancel
          </button>
          <button class="main">{p.alias ? "Save" : "Add alias"}</button>
        </div>
      </form>
    </Dialog>
  );
}

async function removeAlias(alias: Alias, reload: () => void) {
  const path = `/aliases/${encodeURIComponent(alias.address)}`;
  try {
    await call("DELETE", path);
    toast(`${alias.address} removed`, () =>
      void call("POST", "/aliases", { body: { address: alias.address, targets: alias.targets } }).finally(reload),
    );
  } catch (p) {
    if (!(p instanceof Problem)) throw p;
    toast(p.message);
  }
  reload();
}

export function AliasList({ domain }: { domain?: string }) {
  const cursor = query.value.get("aliases") ?? undefined;
  const list = useResource<Page<Alias>>("/aliases", { domain, cursor }, ["admin"]);
  const [editing, setEditing] = useState<Alias | "new" | null>(null);
  const columns: Column<Alias>[] = [
    { name: "Address", cell: (a) => <Quoted text={a.address} /> },
    { name: "Kind", cell: (a) => (a.kind === "catch_all" ? "catch-all" : "alias") },
    { name: "Goes to", cell: (a) => a.targets.join(", ") },
    {
      name: "Do",
      cell: (a) => (
        <div class="row">
          <button onClick={() => setEditing(a)}>Change</button>
          <button onClick={() => void removeAlias(a, list.reload)}>Remove</button>
        </div>
      ),
    },
  ];
  return (
    <section aria-labelledby="aliases">
      <div class="title">
        <h2 id="aliases">Aliases</h2>
        <button onClick={() => setEditing("new")}>Add alias</button>
      </div>
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data &&
        (list.data.items.length ? (
          <>
            <Table label="Aliases" rows={list.data.items} columns={columns} />
            <Pager prev={list.data.prev} next={list.data.next} onGo={(c) => setQuery({ aliases: c })} />
          </>
        ) : (
          <Empty title="No alias yet">
            <p>An alias is an address without a mailbox: its mail goes to other addresses.</p>
          </Empty>
        ))}
      {editing && (
        <EditAlias alias={editing === "new" ? undefined : editing} domain={domain} onClose={() => setEditing(null)} onDone={list.reload} />
      )}
    </section>
  );
}

const KINDS: Record<string, string> = {
  account: "a mailbox here",
  alias: "an alias",
  catch_all: "the catch-all of the domain",
  detail: "the same address with a detail",
  external: "another server",
  unknown: "unknown: refused",
  loop: "a circle: cut here",
};

function Tree({ node }: { node: ResolutionNode }) {
  return (
    <li>
      <Quoted text={node.address} /> <span class="faint">{KINDS[node.kind] ?? node.kind}</span>
      {node.children.length > 0 && (
        <ul>
          {node.children.map((c, i) => (
            <Tree key={i} node={c} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** "What happens to mail for X?" */
function Resolve() {
  const asked = query.value.get("address") ?? "";
  const [text, setText] = useState(asked);
  useEffect(() => setText(asked), [asked]);
  const answer = useResource<Resolution>(asked ? "/resolve" : null, { address: asked });
  return (
    <section class="resolve" aria-labelledby="resolve">
      <h2 id="resolve">What happens to mail for …</h2>
      <form
        class="filter"
        onSubmit={(e) => {
          e.preventDefault();
          setQuery({ address: text.trim() });
        }}
      >
        <input type="text" inputMode="email" aria-label="Any address" placeholder="any address" value={text} onInput={(e) => setText(e.currentTarget.value)} />
        <button>Look</button>
      </form>
      {asked && answer.problem && <Notice problem={answer.problem} retry={answer.reload} />}
      {asked && answer.data && (
        <div role="status">
          <p>
            <State of={answer.data.verdict} /> {answer.data.reason?.replaceAll("_", " ")}
          </p>
          <ul class="tree">
            <Tree node={answer.data.tree} />
          </ul>
        </div>
      )}
    </section>
  );
}

export function Accounts() {
  return (
    <>
      <h1>Accounts and aliases</h1>
      <Resolve />
      <AccountList />
      <AliasList />
    </>
  );
}

import { useState } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { count, plural, size } from "../lib/format";
import { useResource } from "../lib/resource";
import { go, usePageName } from "../lib/router";
import type { Account, Page, Trace, Usage } from "../lib/types";
import { Ago, Copy, Empty, Fact, Field, NewPassword, Notice, Quota, Quoted, Since, State, TypedConfirm } from "../ui/parts";
import { toast } from "../ui/toast";
import { TraceTable } from "./messages";

function Password({ path }: { path: string }) {
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  async function submit() {
    setProblem(null);
    try {
      await call("POST", `${path}/password`, { body: { password } });
      toast("The new password holds from now on");
      setPassword("");
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      setProblem(p);
    }
  }
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
    >
      <NewPassword value={password} onValue={setPassword} error={problem?.field("/password")} />
      {problem && !problem.field("/password") && <Notice problem={problem} />}
      <button>Set password</button>
    </form>
  );
}

const UNITS: Record<string, number> = { k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
/** "2G" -> 2000000000, "" -> null (no limit), nonsense -> undefined */
function bytesOf(text: string): number | null | undefined {
  if (!text.trim()) return null;
  const m = text.trim().match(/^(\d+(?:\.\d+)?)\s*([kmgt])?b?$/i);
  if (!m) return undefined;
  return Math.round(Number(m[1]) * (UNITS[(m[2] ?? "").toLowerCase()] ?? 1));
}

function Limits({ account, path, reload }: { account: Account; path: string; reload: () => void }) {
  const [name, setName] = useState(account.name);
  const [quota, setQuota] = useState(account.quota_bytes ? size(account.quota_bytes).replace(" ", "") : "");
  const [problem, setProblem] = useState<Problem | null>(null);
  const bytes = bytesOf(quota);
  async function submit() {
    setProblem(null);
    try {
      await call("PATCH", path, { etag: account.etag, body: { name, quota_bytes: bytes } });
      toast("Saved");
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      setProblem(p);
    }
    reload();
  }
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (bytes !== undefined) void submit();
      }}
    >
      <Field label="Name of the person" value={name} onValue={setName} error={problem?.field("/name")} />
      <Field
        label="Quota"
        value={quota}
        onValue={setQuota}
        hint="500M, 2G …; empty means no limit of its own."
        error={bytes === undefined ? "A number with k, M, G or T" : problem?.field("/quota_bytes")}
      />
      {problem && !problem.body.errors?.length && <Notice problem={problem} />}
      <button>Save</button>
    </form>
  );
}

export function AccountPage({ address }: { address: string }) {
  const path = `/accounts/${encodeURIComponent(address)}`;
  const account = useResource<Account>(path, {}, ["admin"]);
  const usage = useResource<Usage>(`${path}/usage`, {}, ["message"]);
  const mail = useResource<Page<Trace>>("/traces", { q: address, limit: 10 }, ["trace"]);
  const [isDeleting, setDeleting] = useState(false);
  const a = account.data;
  usePageName(address);
  if (account.problem) return <Notice problem={account.problem} retry={account.reload} />;
  if (!a) return <p class="faint">…</p>;

  async function setState(state: string) {
    try {
      await call("PATCH", path, { etag: a!.etag, body: { state } });
      toast(`${address} is ${state}`);
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      toast(p.message);
    }
    account.reload();
  }
  return (
    <>
      <p class="crumbs">
        <a href="/accounts">Accounts</a> › <a href={`/domains/${encodeURIComponent(a.domain)}`}>{a.domain}</a> ›
      </p>
      <div class="title">
        <h1>
          <Quoted text={a.address} />
        </h1>
        <Copy text={asCurl("GET", path)} label="Copy as curl" />
      </div>
      <dl class="facts">
        <Fact name="State">
          <State of={a.state} />
        </Fact>
        <Fact name="Used">
          <Quota used={usage.data?.used_bytes ?? a.used_bytes} quota={a.quota_bytes} />
        </Fact>
        <Fact name="Since">
          <Since at={a.created_at} />
        </Fact>
        <Fact name="Last login">{a.last_login_at ? <Ago at={a.last_login_at} /> : "never"}</Fact>
      </dl>
      <section aria-labelledby="mailboxes">
        <h2 id="mailboxes">Mailboxes</h2>
        <ul class="checks">
          {usage.data?.mailboxes.map((m) => (
            <li key={m.name}>
              <strong>
                <Quoted text={m.name} />
              </strong>
              <span>
                {plural(m.messages, "message")}, {count(m.unseen)} unread
              </span>
              <span class="faint">{size(m.bytes)}</span>
            </li>
          ))}
        </ul>
      </section>
      <section aria-labelledby="mail">
        <div class="title">
          <h2 id="mail">Recent mail</h2>
          <a href={`/messages?q=${encodeURIComponent(address)}`}>All of it</a>
        </div>
        {mail.data?.items.length ? <TraceTable rows={mail.data.items} label="The last ten messages of this account" /> : <Empty title="No mail yet" />}
      </section>
      <div class="columns">
        <section aria-labelledby="limits">
          <h2 id="limits">Name and quota</h2>
          <Limits account={a} path={path} reload={account.reload} key={a.etag} />
        </section>
        <section aria-labelledby="password">
          <h2 id="password">New password</h2>
          <Password path={path} />
        </section>
      </div>
      <section class="danger-zone" aria-labelledby="danger">
        <h2 id="danger">Danger</h2>
        <div class="row">
          <button onClick={() => void setState(a.state === "active" ? "disabled" : "active")}>
            {a.state === "active" ? "Suspend" : "Let in again"}
          </button>
          <button class="danger" onClick={() => setDeleting(true)}>
            Delete account
          </button>
        </div>
      </section>
      {isDeleting && (
        <TypedConfirm
          title={`Delete ${a.address}?`}
          name={a.address}
          effect={`${plural(a.messages, "message")} (${size(a.used_bytes)}) go with it. This cannot be undone.`}
          button="Delete account and mail"
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await call("DELETE", path, { etag: a.etag });
            toast(`${a.address} deleted`);
            go("/accounts");
          }}
        />
      )}
    </>
  );
}

import { useState } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { count, plural } from "../lib/format";
import { useResource } from "../lib/resource";
import { go } from "../lib/router";
import type { Domain } from "../lib/types";
import { Copy, Notice, Quoted, State, TypedConfirm, When } from "../ui/parts";
import { toast } from "../ui/toast";
import { AccountList, AliasList } from "./accounts";

export function DomainPage({ name }: { name: string }) {
  const path = `/domains/${encodeURIComponent(name)}`;
  const domain = useResource<Domain>(path, {}, ["admin"]);
  const [isDeleting, setDeleting] = useState(false);
  const d = domain.data;
  if (domain.problem) return <Notice problem={domain.problem} retry={domain.reload} />;
  if (!d) return <p class="faint">…</p>;

  async function setState(state: string) {
    try {
      await call("PATCH", path, { etag: d!.etag, body: { state } });
      toast(`${name} is ${state}`, () => void call("PATCH", path, { body: { state: d!.state } }).finally(domain.reload));
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      toast(p.message);
    }
    domain.reload();
  }
  return (
    <>
      <p class="crumbs">
        <a href="/domains">Domains</a> ›
      </p>
      <div class="title">
        <h1>
          <Quoted text={d.name_unicode || d.name} />
        </h1>
        <Copy text={asCurl("GET", path)} label="Copy as curl" />
      </div>
      <dl class="facts">
        <div>
          <dt>State</dt>
          <dd>
            <State of={d.state} />
          </dd>
        </div>
        <div>
          <dt>Since</dt>
          <dd>
            <When at={d.created_at} />
          </dd>
        </div>
        <div>
          <dt>Accounts</dt>
          <dd>{count(d.accounts)}</dd>
        </div>
      </dl>
      <AccountList domain={d.name} />
      <AliasList domain={d.name} />
      <section class="danger-zone" aria-labelledby="danger">
        <h2 id="danger">Danger</h2>
        <div class="row">
          {d.state === "active" ? (
            <button onClick={() => void setState("disabled")}>Stop taking mail for {d.name}</button>
          ) : (
            <button onClick={() => void setState("active")}>Take mail for {d.name} again</button>
          )}
          <button class="danger" onClick={() => setDeleting(true)}>
            Delete domain
          </button>
        </div>
      </section>
      {isDeleting && (
        <TypedConfirm
          title={`Delete ${d.name}?`}
          name={d.name}
          effect={`${plural(d.accounts, "account")} with all their mail and ${plural(d.aliases, "alias", "aliases")} go with it. This cannot be undone.`}
          button="Delete domain and mail"
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await call("DELETE", path, { etag: d.etag, query: { cascade: true } });
            toast(`${d.name} deleted`);
            go("/domains");
          }}
        />
      )}
    </>
  );
}

import { useState } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { count, plural } from "../lib/format";
import { useResource } from "../lib/resource";
import { go, query, usePageName } from "../lib/router";
import { setupUrl } from "../lib/setup";
import type { DnsRecords, Domain } from "../lib/types";
import { Copy, Fact, Notice, Quoted, Since, State, Tabs, TypedConfirm } from "../ui/parts";
import { toast } from "../ui/toast";
import { AccountList, AliasList } from "./accounts";
import { KeysTab, PoliciesTab, RecordsTab } from "./records";

const TABS: [id: string, label: string][] = [
  ["", "People"],
  ["dns", "DNS"],
  ["dkim", "DKIM"],
  ["policies", "DMARC and MTA-STS"],
];

/** What is left to do in DNS, in one line. */
function DnsLine({ name, path }: { name: string; path: string }) {
  const dns = useResource<DnsRecords>(`${path}/dns`, {}, ["dns"]).data;
  if (!dns) return null;
  const left = dns.required.total - dns.required.ok;
  return (
    <p class={left ? "notice warn" : "faint"}>
      <span>
        {left ? `${plural(left, "required DNS record is", "required DNS records are")} not as they should be. ` : "All required DNS records are as they should be. "}
        <a href={`/domains/${encodeURIComponent(name)}?tab=dns`}>See the records</a>
        {left > 0 && (
          <>
            {" or "}
            <a href={setupUrl(name)}>go on setting it up, step by step</a>.
          </>
        )}
      </span>
    </p>
  );
}

const INCOMING: Record<Domain["incoming"], string> = {
  honour: "do what that domain asks for: refuse it, or put it into Junk",
  junk: "put it into Junk, even where that domain asks to refuse it",
  mark: "deliver it as usual, with the mark in the message",
};

export function DomainPage({ name }: { name: string }) {
  const path = `/domains/${encodeURIComponent(name)}`;
  const domain = useResource<Domain>(path, {}, ["admin"]);
  const [isDeleting, setDeleting] = useState(false);
  const d = domain.data;
  usePageName(d?.name_unicode || name);
  const wanted = query.value.get("tab") ?? "";
  const tab = TABS.some(([id]) => id === wanted) ? wanted : "";
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
  async function setIncoming(incoming: string) {
    try {
      await call("PATCH", path, { etag: d!.etag, body: { incoming } });
      toast(`Saved for ${name}`, () =>
        void call("PATCH", path, { body: { incoming: d!.incoming } }).finally(domain.reload),
      );
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
        <Fact name="State">
          <State of={d.state} />
        </Fact>
        <Fact name="Since">
          <Since at={d.created_at} />
        </Fact>
        <Fact name="Accounts">{count(d.accounts)}</Fact>
      </dl>
      <Tabs label="Of this domain" base={`/domains/${encodeURIComponent(d.name)}`} tabs={TABS} at={tab} />
      {tab === "dns" && <RecordsTab path={path} domain={d.name} />}
      {tab === "dkim" && <KeysTab path={path} />}
      {tab === "policies" && <PoliciesTab path={path} />}
      {tab === "" && (
        <>
          <DnsLine name={d.name} path={path} />
          <section aria-labelledby="incoming">
            <h2 id="incoming">Mail whose sender is not proven</h2>
            <label>
              When neither SPF nor DKIM prove the domain in From (DMARC):{" "}
              <select value={d.incoming} onChange={(e) => void setIncoming(e.currentTarget.value)}>
                {Object.entries(INCOMING).map(([value, words]) => (
                  <option key={value} value={value}>
                    {words}
                  </option>
                ))}
              </select>
            </label>
            <p class="faint">What was found is written into every message, whatever is chosen here.</p>
          </section>
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
        </>
      )}
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

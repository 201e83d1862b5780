// How far a domain is on its way from a name to mail in both directions: read from the server
// each time, so whoever comes back, on whatever machine, goes on where it was left.
import type { Account, Check, DnsRecords, Health, Page, Trace } from "./types";
import { useResource } from "./resource";

export type StepId = "host" | "domain" | "dns" | "account" | "mail";
export const STEPS: [id: StepId, name: string][] = [
  ["host", "Host"],
  ["domain", "Domain"],
  ["dns", "DNS records"],
  ["account", "First account"],
  ["mail", "Test mail"],
];

export function setupUrl(domain: string, step?: StepId): string {
  const q = new URLSearchParams(domain ? { domain } : {});
  if (step) q.set("step", step);
  return `/setup${q.size ? `?${q}` : ""}`;
}

export interface Progress {
  /** nothing is said before all of it is known */
  isKnown: boolean;
  host: Check[] | null;
  dns: DnsRecords | null;
  account: Account | null;
  received: Trace | null;
  sent: Trace | null;
  done: { [step in StepId]: boolean };
  reload: () => void;
}

const last = <T>(page: Page<T> | null): T | null => page?.items[0] ?? null;

/** Those that are run by themselves now and then, and when somebody asks. */
export const isLookedAt = (c: Check) => c.checking !== undefined;

/** name empty: there is no domain yet. */
export function useProgress(name: string): Progress {
  const path = name ? `/domains/${encodeURIComponent(name)}` : null;
  const mine = (question: string) => ({ q: question, limit: 1 });
  const health = useResource<Health>("/health", {}, ["health"]);
  const host = health.data?.items.filter(isLookedAt) ?? null;
  const dns = useResource<DnsRecords>(path && `${path}/dns`, {}, ["dns", "admin"]);
  const accounts = useResource<Page<Account>>(path && "/accounts", { domain: name, limit: 1 }, ["admin"]);
  const received = useResource<Page<Trace>>(path && "/traces", mine(`direction:in verdict:delivered to_domain:${name}`), ["trace"]);
  const sent = useResource<Page<Trace>>(path && "/traces", mine(`direction:out verdict:delivered from_domain:${name}`), ["trace"]);
  const required = dns.data?.required;
  return {
    isKnown: !!health.data && (!name || !!(dns.data && accounts.data && received.data && sent.data)),
    host: health.data?.items ?? null,
    dns: dns.data,
    account: last(accounts.data),
    received: last(received.data),
    sent: last(sent.data),
    done: {
      host: !!host?.length && host.every((c) => c.checked_at && c.state !== "fail"),
      domain: !!name,
      dns: !!required && required.ok >= required.total,
      account: !!last(accounts.data),
      mail: !!last(received.data) && !!last(sent.data),
    },
    reload: () => [health, dns, accounts, received, sent].forEach((r) => r.reload()),
  };
}

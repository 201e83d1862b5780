// The shapes of api/openapi.yaml that the pages use.

export interface Page<T> {
  items: T[];
  next: string | null;
  prev: string | null;
  count?: number;
  count_capped?: boolean;
}

export interface Session {
  name: string;
  role: string;
  scopes: string[];
  csrf_token: string;
  expires_at: string;
}

export interface Me {
  kind: "session" | "token" | "local";
  name: string;
  role: string | null;
  scopes: string[];
}

export interface Setting {
  key: string;
  type: string;
  unit: string | null;
  value: string | null;
  default: string | null;
  min: number | null;
  max: number | null;
  apply: "reload" | "restart";
  editable: boolean;
  fixed_because: string | null;
  source: "file" | "default" | "store";
  changed_at: string | null;
  changed_by: string | null;
  help: string;
  etag: string;
}

export interface Settings {
  items: Setting[];
  etag: string;
}

export type OnOff = "active" | "disabled";

export interface Domain {
  id: string;
  name: string;
  name_unicode?: string;
  state: OnOff;
  incoming: "honour" | "junk" | "mark";
  accounts: number;
  aliases: number;
  catch_all: string[] | null;
  created_at: string;
  etag: string;
}

export interface DnsRecord {
  key: string;
  need: "required_to_receive" | "required_to_send" | "recommended" | "optional";
  type: string;
  name: string;
  relative: string | null;
  priority: number | null;
  expected: string[];
  master: string[];
  found: string[];
  state: string;
  cause: string;
  reason: string;
  detail: string;
  owner: string;
  why: string;
  servers_ok: number;
  servers_total: number;
  since: string | null;
  cached_until: string | null;
  muted: boolean;
  muted_at: string | null;
  muted_by: string | null;
}

export interface DnsRecords {
  checked_at: string | null;
  checking: boolean;
  servers: string[];
  required: { ok: number; total: number };
  recommended: { ok: number; total: number };
  muted: number;
  items: DnsRecord[];
}

export interface DnsChange {
  id: string;
  key: string;
  at: string;
  was: string;
  state: string;
  cause: string;
  reason: string;
}

export interface DkimKey {
  id: string;
  selector: string;
  algorithm: "rsa" | "ed25519";
  state: "generated" | "publish" | "verified" | "active" | "retiring" | "revoked";
  since: string;
  activated_at: string | null;
  keep_until: string | null;
  servers_ok: number;
  servers_total: number;
  active_days: number;
  rotation_due: boolean;
  actions: string[];
  record: { type: string; name: string; relative: string; value: string; master: string };
  etag: string;
}

export interface DomainPolicy {
  domain: string;
  name: string;
  policy?: string;
  testing?: boolean;
  rua?: string;
  rua_is_read?: boolean;
  mode?: string;
  max_age_s?: number;
  etag: string;
}

export interface Account {
  id: string;
  address: string;
  domain: string;
  name: string;
  state: OnOff;
  quota_bytes: number | null;
  used_bytes: number;
  messages: number;
  created_at: string;
  last_login_at: string | null;
  etag: string;
}

export interface Usage {
  used_bytes: number;
  quota_bytes: number | null;
  messages: number;
  mailboxes: { name: string; messages: number; unseen: number; bytes: number }[];
}

export interface Alias {
  id: string;
  address: string;
  domain: string;
  kind: "alias" | "catch_all";
  targets: string[];
  state: OnOff;
  etag: string;
}

export interface ResolutionNode {
  address: string;
  kind: string;
  children: ResolutionNode[];
}

export interface Resolution {
  address: string;
  verdict: "accepted" | "refused" | "deferred";
  reason: string | null;
  tree: ResolutionNode;
  recipients: { address: string; kind: string }[];
}

export interface Reason {
  class: string;
  bucket: string;
  code: string | null;
  enhanced: string | null;
  remote: string | null;
  text: string;
  plain: string;
  owner: string;
  action: string;
}

export interface QueueItem {
  id: string;
  trace_id: string;
  kind: "mail" | "receipt";
  state: string;
  wish: "hold" | "bounce" | "delete" | null;
  from: string;
  to: string;
  to_domain: string;
  subject: string;
  size: number;
  tls: "required" | "optional" | null;
  attempts: number;
  created_at: string;
  age_s: number;
  next_try_at: string | null;
  last_try_at: string | null;
  expires_at: string | null;
  reason: Reason | null;
}

export interface ActionPlan {
  plan_id: string;
  action: string;
  count: number;
  sample: { id: string; to: string }[];
}

export interface ActionResult {
  done: number;
  failed: number;
  items: { id: string; error: { code: string; detail?: string } }[];
}

export interface Trace {
  id: string;
  time: string;
  direction: "in" | "out" | "own";
  from: string;
  to: string;
  more_recipients: number;
  subject: string;
  message_id: string;
  size: number;
  verdict: string;
  reason: Reason | null;
  attempts: number;
  next_try_at: string | null;
  queue_id: string | null;
  ip: string | null;
  user: string | null;
  spf: string | null;
  dkim: string | null;
  dmarc: string | null;
}

/** What one check found, in the words of RFC 8601, and why. */
export interface AuthResult {
  result: string;
  reason: string;
}

export interface AuthVerdict {
  field: string;
  iprev: AuthResult;
  spf: AuthResult | null;
  spf_helo: AuthResult;
  dkim: AuthResult[];
  arc: AuthResult;
  dmarc: AuthResult;
  disposition: "none" | "quarantine" | "reject";
}

export interface TraceDetail extends Trace {
  summary: string;
  recipients: {
    address: string;
    verdict: string;
    mailbox: string | null;
    queue_id: string | null;
    reason: Reason | null;
    attempts: number;
    next_try_at: string | null;
  }[];
}

export interface TraceEvent {
  time: string;
  offset_ms: number;
  event: string;
  level: string;
  text: string;
  session_id: string | null;
  fields: Record<string, string>;
}

export interface Stats {
  from: string;
  to: string;
  step_s: number;
  totals: Record<string, number>;
  queue: {
    total: number;
    scheduled: number;
    active: number;
    deferred: number;
    held: number;
    oldest_age_s: number | null;
  };
  series: { metric: string; points: number[] }[];
}

export interface Check {
  id: string;
  title: string;
  state: "ok" | "warn" | "fail" | "unknown" | "off";
  text: string;
  cause: string | null;
  owner: string | null;
  fix?: string | null;
  /** null: nobody has looked yet */
  checked_at: string | null;
  /* of those that are looked at now and then */
  since?: string | null;
  next_at?: string | null;
  checking?: boolean;
  last_run?: string | null;
  muted?: boolean;
  muted_at?: string | null;
  muted_by?: string | null;
  details: {
    request?: string | null;
    name?: string | null;
    lines?: { name: string; state: string; text: string }[];
  };
}

export interface Health {
  state: string;
  needs_you: number;
  items: Check[];
}

export interface ReportCounts {
  reports: number;
  aligned?: number;
  secured?: number;
  failed: number;
}

export interface ReportSums {
  from: string;
  to: string;
  domain: string | null;
  unproven_reports: number;
  totals: ReportCounts;
  days: (ReportCounts & { day: string })[];
  reporters: (ReportCounts & { sender: string; name: string; last_at: string | null })[];
}

export interface DmarcOrigin {
  /** of a service, or an address; where addresses of one origin were asked for, it is source */
  origin?: string;
  source?: string;
  service: { id: string; name: string } | null;
  ours: boolean;
  messages: number;
  aligned: number;
  failed: number;
  aligned_spf: number;
  aligned_dkim: number;
  quarantined: number;
  rejected: number;
  reports: number;
  header_from: string;
  domains: string[];
  last_at: string;
  advice: string | null;
  spf_term: string | null;
}
export type DmarcSums = ReportSums & Page<DmarcOrigin>;

export interface TlsFailure {
  kind: string;
  mx: string;
  sessions: number;
  reports: number;
  last_at: string;
  detail: string;
  meaning: string | null;
}
export type TlsSums = ReportSums & Page<TlsFailure>;

export interface ReceivedReport {
  id: string;
  kind: "dmarc" | "tls";
  domain: string;
  about: string;
  reporter: string;
  sender: string;
  proven: boolean;
  report_id: string;
  begin: string;
  end: string;
  received_at: string;
  good: number;
  bad: number;
  rows: number;
  raw_bytes: number;
  trace_id: string;
}

/** What another domain demands of the way to it (MTA-STS). */
export interface TlsPolicy {
  domain: string;
  state: "holds" | "expired" | "none";
  mode: "none" | "testing" | "enforce" | null;
  mx: string[];
  policy_id: string | null;
  fetched_at: string | null;
  expires_at: string | null;
  failed_at: string | null;
  reason: string | null;
  fetching: boolean;
}
export interface SentReport {
  id: string;
  kind: "dmarc" | "tls";
  domain: string;
  day: string;
  report_id: string;
  made_at: string;
  state: string;
  recipients: string[];
  reason: string | null;
  count: number;
  rows: number;
  left_out: number;
  size: number;
  trace_id: string | null;
}

export interface ReportRow {
  source: string;
  name: string;
  origin: string;
  domains: string[];
  count: number;
  good: boolean;
  spf: string;
  dkim: string;
  done: string;
  detail: string;
}
export type ReportWithRows = ReceivedReport & { items: ReportRow[] };

export interface PolicyAdvice {
  domain: string;
  name: "dmarc" | "mta_sts";
  days: number;
  reports: number;
  good: number;
  failed: number;
  affected: number;
  ready: boolean;
  text: string;
  sources: { name: string; origin?: string; mx?: string; failed: number; advice: string }[];
  more_sources: number;
}

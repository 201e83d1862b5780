// One event stream for all tabs of a browser: the tab that holds the lock reads it and tells
// the others. Pages subscribe to topics and fetch again; where no stream is to be had, they
// are told every 15 seconds instead.
import { signal } from "@preact/signals";
import { BASE } from "./api";

export type LiveState = "live" | "paused" | "reconnecting";
export const live = signal<LiveState>("reconnecting");
export const isPaused = signal(false);

type Listener = { topics: string[]; fn: () => void };
const listeners = new Set<Listener>();
const channel = "BroadcastChannel" in window ? new BroadcastChannel("mailstead-live") : null;
const POLL_MS = 15000;
const TOLD_AT_MOST_EVERY_MS = 500;
const LOG_IS_WRITTEN_MS = 1500;
const TOPICS = ["message", "queue", "trace", "auth", "admin", "dns", "report", "health", "role"];
/** Of events whose names begin otherwise. */
const TOPIC_OF: Record<string, string> = { dkim: "dns", tls: "queue" };

let source: EventSource | null = null;

/** fn is called when something of these topics happened, at most twice a second. */
export function onLive(topics: string[], fn: () => void): () => void {
  let last = 0;
  let timer = 0;
  let later = 0;
  const run = () => {
    timer = 0;
    last = Date.now();
    if (!isPaused.peek() && !document.hidden) fn();
  };
  const listener: Listener = {
    topics,
    fn: () => {
      // The delivery log is written a moment after the event was told: look once more then.
      clearTimeout(later);
      later = window.setTimeout(run, LOG_IS_WRITTEN_MS);
      timer ||= window.setTimeout(run, Math.max(0, last + TOLD_AT_MOST_EVERY_MS - Date.now()));
    },
  };
  listeners.add(listener);
  return () => {
    clearTimeout(timer);
    clearTimeout(later);
    listeners.delete(listener);
  };
}

function tell(topic: string): void {
  for (const l of listeners) {
    if (topic === "*" || l.topics.includes(topic)) l.fn();
  }
}

/** "message.accepted" belongs to message and to trace; delivery.* to queue as well. */
function topicsOf(event: string): string[] {
  const head = event.split(".")[0]!;
  if (head === "message" || head === "delivery" || head === "smtp") return ["message", "queue", "trace"];
  return [TOPIC_OF[head] ?? head];
}

function take(kind: string, data: string): void {
  if (kind === "event") for (const t of topicsOf(data)) tell(t);
  else if (kind === "all") tell("*");
  else if (kind === "state") live.value = data as LiveState;
}

function say(kind: string, data: string): void {
  take(kind, data);
  channel?.postMessage([kind, data]);
}

const EVENTS = [
  "message.accepted", "message.stored", "message.queued", "message.delivered", "message.deferred",
  "message.bounced", "message.expired", "message.dsn", "message.dsn.about", "message.discarded", "message.disposition",
  "message.double_bounce", "message.dsn.dropped", "message.dsn.withheld", "message.expanded", "message.forged", "queue.action", "queue.receipt.action", "queue.changed",
  "tls.policy.fetched", "tls.policy.failed", "smtp.rcpt.reject", "smtp.mail.reject", "smtp.data.reject",
  "smtp.connect.refused", "auth.failed", "auth.ok", "admin.change", "dns.changed", "dns.checked",
  "dkim.state", "dkim.missing", "dkim.reminder", "dkim.unsigned", "report.received", "report.repeated",
  "report.refused", "report.sent", "report.unsent", "report.cut", "report.wait", "health.checked", "health.changed",
  "role.start", "role.restart",
];

function openStream(): void {
  const mine = (source = new EventSource(`${BASE}/events?topics=${TOPICS.join(",")}`, { withCredentials: true }));
  source.onopen = () => {
    say("state", "live");
    say("all", "");
  };
  source.onerror = () => {
    say("state", "reconnecting");
    // Refused (too many are open: 429, starting: 503): a browser does not ask again by itself.
    if (mine.readyState !== EventSource.CLOSED) return;
    setTimeout(() => {
      if (source === mine) openStream();
    }, POLL_MS);
  };
  source.addEventListener("reset", () => say("all", ""));
  source.addEventListener("dropped", () => say("all", ""));
  for (const name of EVENTS) source.addEventListener(name, () => say("event", name));
}

let release: (() => void) | null = null;

/** Begins after sign-in. */
export function startLive(): void {
  if (source || release) return;
  if (channel) channel.onmessage = (m) => take(m.data[0], m.data[1]);
  if (navigator.locks && channel) {
    navigator.locks
      .request("mailstead-live", () => {
        openStream();
        return new Promise<void>((done) => (release = done));
      })
      .catch(() => {});
    // Another tab may hold the lock: its stream is ours too.
    if (live.peek() === "reconnecting") live.value = "live";
  } else {
    openStream();
  }
}

export function stopLive(): void {
  source?.close();
  source = null;
  release?.();
  release = null;
}

setInterval(() => {
  if (live.peek() !== "live") tell("*");
}, POLL_MS);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) tell("*");
});

// Times, sizes and counts as people read them; the exact value is always one hover away.
import { signal } from "@preact/signals";

/** Ticks once a second while the page is seen: countdowns and ages hang on it. */
export const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);

export const isUtc = signal(localStorage.getItem("utc") === "1");

const plurals = new Intl.PluralRules("en");

/** plural(2, "message") is "2 messages". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${plurals.select(n) === "one" ? one : many}`;
}

const counts = new Intl.NumberFormat("en");
export const count = (n: number): string => counts.format(n).replaceAll(",", "\u202f");

const UNITS = ["B", "kB", "MB", "GB", "TB"];
export function size(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** 75 -> "1:15", 7500 -> "2:05:00"; for countdowns. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((p, i) => (i === 0 ? String(p) : String(p).padStart(2, "0"))).join(":");
}

const STEPS: [number, string][] = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];
/** The largest unit only: "3 d", "2 h", "14 s". */
export function duration(seconds: number): string {
  for (const [unit, name] of STEPS) {
    if (seconds >= unit) return `${Math.floor(seconds / unit)} ${name}`;
  }
  return "0 s";
}

export function time(iso: string): string {
  const d = new Date(iso);
  const zone = isUtc.value ? { timeZone: "UTC" } : {};
  const dateOf = (date: Date) => date.toLocaleDateString("en-CA", zone);
  const today = dateOf(new Date(now.peek()));
  const date = dateOf(d);
  const sameDay = date === today;
  const sameYear = date.slice(0, 4) === today.slice(0, 4);
  return d.toLocaleString("en-GB", {
    ...zone,
    ...(sameDay ? {} : { day: "2-digit", month: "short", year: sameYear ? undefined : "numeric" }),
    hour: "2-digit",
    minute: "2-digit",
    second: sameDay ? "2-digit" : undefined,
  });
}

/** "29 Nov", where times are shown. */
export function dayHere(iso: string): string {
  return new Date(iso).toLocaleDateString("en-GB", { day: "2-digit", month: "short", ...(isUtc.value ? { timeZone: "UTC" } : {}) });
}

/** "29 Nov 2026", in UTC whatever else is shown: days of reports begin and end there. */
export function day(iso: string): string {
  return new Date(iso).toLocaleDateString("en-GB", { timeZone: "UTC", day: "2-digit", month: "short", year: "numeric" });
}

export function exact(iso: string): string {
  return isUtc.value ? iso : `${new Date(iso).toLocaleString("en-GB")} (${iso})`;
}

export function millis(iso: string): string {
  const d = new Date(iso);
  const text = isUtc.value ? d.toISOString().slice(11, 23) : "";
  return (
    text ||
    `${d.toLocaleTimeString("en-GB", { hour12: false })}.${String(d.getMilliseconds()).padStart(3, "0")}`
  );
}

/** Control and bidi characters made visible: nothing a stranger sent may pose as the page. */
export function visible(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `\u27e8${c.codePointAt(0)!.toString(16).padStart(4, "0")}\u27e9`,
  );
}

const PIECE_MAX = 16;
const CUT = new RegExp(`.{1,${PIECE_MAX}}`, "gsu");

/** Where a text may be broken into lines: an address behind its @, a name behind its dots only
    where it is long; what has no sign is cut, so that no column is wider than a piece. */
export function pieces(text: string): string[] {
  const short = (part: string, at: RegExp) => (part.length > PIECE_MAX ? part.split(at) : [part]);
  return text
    .split(/(?<=[@+/=:;,])|(?<=\s)/)
    .flatMap((part) => short(part, /(?<=[-_])/))
    .flatMap((part) => short(part, /(?<=\.)/))
    .flatMap((part) => part.match(CUT) ?? []);
}

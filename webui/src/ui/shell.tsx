// The frame of all pages: rail, search, live chip, theme, who is signed in, help.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, call } from "../lib/api";
import { count, isUtc } from "../lib/format";
import { keysOn, setKeysOn, useKeys } from "../lib/keys";
import { isPaused, live, startLive, stopLive } from "../lib/live";
import { useResource } from "../lib/resource";
import { go, pageName, path } from "../lib/router";
import type { Health, Session, Stats } from "../lib/types";
import { Dialog, State } from "./parts";
import { Toasts, toast, undoLast } from "./toast";

export const rooms = [
  { to: "/", name: "Overview", key: "g o" },
  { to: "/messages", name: "Messages", key: "g m" },
  { to: "/queue", name: "Queue", key: "g q" },
  { to: "/domains", name: "Domains", key: "g d" },
  { to: "/accounts", name: "Accounts", key: "g a" },
  { to: "/reports", name: "Reports", key: "g r" },
  { to: "/settings", name: "Settings", key: "g s" },
];

const THEMES = ["auto", "light", "dark", "contrast"] as const;
const theme = signal(localStorage.getItem("theme") ?? "auto");

export function applyTheme(): void {
  document.documentElement.dataset.theme = theme.value;
}

function Theme() {
  return (
    <label class="theme">
      <span>Theme</span>
      <select
        value={theme.value}
        onChange={(e) => {
          theme.value = e.currentTarget.value;
          localStorage.setItem("theme", theme.value);
          applyTheme();
        }}
      >
        {THEMES.map((t) => (
          <option key={t} value={t}>
            {t === "contrast" ? "high contrast" : t}
          </option>
        ))}
      </select>
    </label>
  );
}

function LiveChip() {
  const word = isPaused.value ? "paused" : live.value;
  return (
    <button
      class={`chip live-${word}`}
      aria-pressed={isPaused.value}
      title={isPaused.value ? "Go on" : "Hold the page still"}
      onClick={() => (isPaused.value = !isPaused.value)}
    >
      <span aria-hidden="true">●</span> {word}
    </button>
  );
}

function Search() {
  const [text, setText] = useState("");
  const ref = useRef<HTMLInputElement>(null);
  useKeys({ "/": () => ref.current?.focus() });
  return (
    <form
      class="search"
      role="search"
      onSubmit={(e) => {
        e.preventDefault();
        if (text.trim()) go(`/messages?q=${encodeURIComponent(text.trim())}`);
      }}
    >
      <input
        ref={ref}
        type="search"
        aria-label="Find a message: address, subject, id"
        placeholder="Find a message ( / )"
        value={text}
        onInput={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => e.key === "Escape" && e.currentTarget.blur()}
      />
    </form>
  );
}

const HELP: [string, string][] = [
  ["/", "search"],
  ["g o  g m  g q  g d  g a  g r  g s", "go to a room"],
  ["j  k", "next, previous row"],
  ["Enter", "open the row"],
  ["x", "select the row"],
  ["r  h", "retry, hold (queue)"],
  ["u", "undo"],
  ["?", "this help"],
];

function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {HELP.map(([k, what]) => (
          <div key={k}>
            <dt>
              <kbd>{k}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={keysOn.value}
          onChange={(e) => setKeysOn(e.currentTarget.checked)}
        />
        Single-key shortcuts
      </label>
      <div class="row end">
        <button onClick={onClose}>Close</button>
      </div>
    </Dialog>
  );
}

/** Out is who has no session any more: while the server did not hear it, its cookie still opens. */
async function signOut(onLeave: () => void) {
  stopLive();
  try {
    await call("DELETE", "/session", { quiet: true });
  } catch (p) {
    if (!(p instanceof Problem)) throw p;
    if (p.body.status !== 401) {
      startLive();
      toast(`You are still signed in: ${p.message}`);
      return;
    }
  }
  onLeave();
}

export function Shell({ session, onLeave, children }: {
  session: Session;
  onLeave: () => void;
  children: ComponentChildren;
}) {
  const [isHelp, setHelp] = useState(false);
  const health = useResource<Health>("/health", {}, ["role", "health"]);
  const stats = useResource<Stats>("/stats", {}, ["queue", "message"]);
  const main = useRef<HTMLElement>(null);
  const keys: Record<string, () => void> = {
    "?": () => setHelp(true),
    u: undoLast,
  };
  for (const room of rooms) keys[room.key] = () => go(room.to);
  useKeys(keys);
  const here = path.value;
  useEffect(() => {
    const room = rooms.find((r) => (r.to === "/" ? here === "/" : here.startsWith(r.to)));
    const name = [pageName.value, room?.name ?? (here.startsWith("/setup") ? "Set up" : "")];
    document.title = [...name, "Mailstead"].filter(Boolean).join(" · ");
    return () => {
      document.title = "Mailstead";
    };
  }, [here, pageName.value]);
  const waiting = stats.data?.queue.total ?? 0;
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          main.current?.focus();
        }}
      >
        To the content
      </a>
      <header class="top">
        <a class="brand" href="/">
          Mailstead
        </a>
        <Search />
        <LiveChip />
        <button class="chip zone" title="Which times are shown" aria-pressed={isUtc.value} onClick={() => {
          isUtc.value = !isUtc.value;
          localStorage.setItem("utc", isUtc.value ? "1" : "0");
        }}>
          {isUtc.value ? "UTC" : "local time"}
        </button>
        {health.data && (
          <a class="chip health" href="/" title="Health">
            <State of={health.data.needs_you ? health.data.state : "ok"}>{health.data.needs_you ? `${count(health.data.needs_you)} need${health.data.needs_you === 1 ? "s" : ""} you` : "all well"}</State>
          </a>
        )}
      </header>
      <nav class="rail" aria-label="Rooms">
        <ul>
          {rooms.map((room) => {
            const isHere = room.to === "/" ? here === "/" : here.startsWith(room.to);
            return (
              <li key={room.to}>
                <a href={room.to} aria-current={isHere ? "page" : undefined}>
                  {room.name}
                  {room.to === "/queue" && waiting > 0 && <span class="badge">{count(waiting)}</span>}
                </a>
              </li>
            );
          })}
        </ul>
        <div class="rail-foot">
          <Theme />
          <button class="quiet" onClick={() => setHelp(true)}>
            Help <kbd>?</kbd>
          </button>
          <p class="faint">
            {session.name}, {session.role}
          </p>
          <button
            class="quiet"
            onClick={() => void signOut(onLeave)}
          >
            Sign out
          </button>
        </div>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        {children}
      </main>
      <Toasts />
      {isHelp && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}

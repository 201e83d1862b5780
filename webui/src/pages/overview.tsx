import { count, duration, plural } from "../lib/format";
import { useResource } from "../lib/resource";
import type { Check, Health, Page, Stats, Trace } from "../lib/types";
import { Ago, Bars, Empty, Notice, State } from "../ui/parts";
import { isLookedAt } from "../lib/setup";
import { Checklist } from "./checklist";
import { MOVES } from "./setup_host";
import { TraceTable } from "./messages";

function pointsOf(stats: Stats | null, metric: string): number[] {
  return stats?.series.find((s) => s.metric === metric)?.points ?? [];
}

function Figure(p: { name: string; value: string; note?: string; to: string; points?: number[]; tone?: string }) {
  return (
    <a class="figure" href={p.to}>
      <span class="figure-name">{p.name}</span>
      <span class="figure-value">{p.value}</span>
      {p.points && <Bars points={p.points} label={p.name} tone={p.tone} />}
      <span class="faint">{p.note ?? "\u00a0"}</span>
    </a>
  );
}

function NeedsYou({ checks }: { checks: Check[] }) {
  const open = checks.filter((c) => (c.state === "fail" || c.state === "warn") && !c.muted);
  if (!open.length) return null;
  return (
    <section class="needs" aria-labelledby="needs">
      <h2 id="needs">Needs you</h2>
      <ol>
        {open.map((c) => (
          <li key={c.id}>
            <State of={c.state} /> <strong>{c.title}</strong>: {c.text}
            {c.owner && <span class="faint"> · {MOVES[c.owner] ?? c.owner}</span>}
            {c.fix && <p>{c.fix}</p>}
            {c.id === "queue" && (
              <p>
                <a href="/queue?sort=-age">The oldest first</a>
              </p>
            )}
            {isLookedAt(c) && (
              <p>
                <a href={`/setup?step=host#check-${c.id}`}>What was found, and look again</a>
              </p>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

export function Overview() {
  const stats = useResource<Stats>("/stats", {}, ["message", "queue"]);
  const health = useResource<Health>("/health", {}, ["role", "health"]);
  const recent = useResource<Page<Trace>>("/traces", { limit: 10 }, ["trace"]);
  const t = stats.data?.totals ?? {};
  const queue = stats.data?.queue;
  const checks = health.data?.items ?? [];
  const oldest = queue?.oldest_age_s;
  return (
    <>
      <div class="title">
        <h1>Overview</h1>
        {health.data && (
          <p role="status">
            {health.data.needs_you ? `${plural(health.data.needs_you, "thing needs", "things need")} you` : "All systems well"}
          </p>
        )}
      </div>
      {stats.problem && <Notice problem={stats.problem} retry={stats.reload} />}
      <Checklist />
      <NeedsYou checks={checks} />
      <section class="figures" aria-label="The last 24 hours">
        <Figure name="In" value={count(t.in ?? 0)} points={pointsOf(stats.data, "in")} to="/messages?q=direction:in" note="24 hours" />
        <Figure name="Out" value={count(t.out ?? 0)} points={pointsOf(stats.data, "out")} to="/messages?q=direction:out" note="24 hours" />
        <Figure
          name="Queue"
          value={count(queue?.total ?? 0)}
          points={pointsOf(stats.data, "deferred")}
          tone="warn"
          to="/queue"
          note={oldest ? `oldest ${duration(oldest)}` : "nothing waits"}
        />
        <Figure name="Delivered" value={count(t.delivered ?? 0)} points={pointsOf(stats.data, "delivered")} tone="good" to="/messages?q=verdict:delivered" note="24 hours" />
        <Figure name="Refused" value={count(t.refused ?? 0)} points={pointsOf(stats.data, "refused")} tone="bad" to="/messages?q=verdict:refused" note="24 hours" />
      </section>
      <section aria-labelledby="recent">
        <div class="title">
          <h2 id="recent">Recent</h2>
          <a href="/messages">All messages</a>
        </div>
        {recent.problem && <Notice problem={recent.problem} retry={recent.reload} />}
        {recent.data?.items.length === 0 && (
          <Empty title="No mail yet">
            <p>Every message and every refusal shows up here while it happens, with what became of it and why.</p>
          </Empty>
        )}
        {!!recent.data?.items.length && <TraceTable rows={recent.data.items} label="The last ten messages" />}
      </section>
      <section aria-labelledby="health">
        <div class="title">
          <h2 id="health">Health</h2>
          <a href="/setup?step=host">How others see this server</a>
        </div>
        {health.problem && <Notice problem={health.problem} retry={health.reload} />}
        {checks.length > 0 && (
          <ul class="checks">
            {checks.map((c) => (
              <li key={c.id}>
                <State of={c.state} />
                <strong>{c.title}</strong>
                {c.muted && <span class="faint">muted</span>}
                <span>{c.text}</span>
                <span class="faint">
                  {c.checked_at ? <Ago at={c.checked_at} /> : "never"}
                </span>
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  );
}

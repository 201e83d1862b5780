import { useEffect, useState } from "preact/hooks";
import { Problem, asCurl, call } from "../lib/api";
import { clock, count, duration, now, plural } from "../lib/format";
import { useResource } from "../lib/resource";
import { query, setQuery } from "../lib/router";
import type { ActionPlan, ActionResult, Page, QueueItem } from "../lib/types";
import { Copy, Dialog, Empty, Notice, Quoted, State, Tabs } from "../ui/parts";
import { Pager, Table, type Column } from "../ui/table";
import { toast } from "../ui/toast";
import { TlsPolicies } from "./tls_policies";

export type Action = "retry" | "hold" | "release" | "bounce" | "delete";

const DONE: Record<Action, string> = {
  retry: "set to try now",
  hold: "held",
  release: "released",
  bounce: "bounced to the sender",
  delete: "deleted",
};
/** What happens when the attempt that is under way does not deliver it. */
const WISHED: Record<NonNullable<QueueItem["wish"]>, string> = {
  hold: "held after that",
  bounce: "bounced after that",
  delete: "deleted after that",
};
const OPPOSITE: Partial<Record<Action, Action>> = { hold: "release", release: "hold" };

/** One action on one recipient, with a word about it and the way back where there is one. */
export async function queueAction(action: Action, id: string, reload: () => void): Promise<void> {
  const path = `/queue/${encodeURIComponent(id)}`;
  try {
    const item =
      action === "delete"
        ? await call<QueueItem | undefined>("DELETE", path)
        : await call<QueueItem | undefined>("POST", `${path}/${action}`);
    const back = OPPOSITE[action];
    const word = item?.wish ? `is being tried; ${WISHED[item.wish]}` : DONE[action];
    toast(`1 message ${word}`, back && (() => void queueAction(back, id, reload)));
  } catch (p) {
    if (!(p instanceof Problem)) throw p;
    toast(p.message);
  }
  reload();
}

function NextTry({ item }: { item: QueueItem }) {
  if (item.state === "held") return <span>held</span>;
  if (item.state === "active") return <span>now{item.wish && `, ${WISHED[item.wish]}`}</span>;
  if (!item.next_try_at) return <span class="faint">–</span>;
  const left = (Date.parse(item.next_try_at) - now.value) / 1000;
  return <span class="number">{left > 0 ? `in ${clock(left)}` : "due"}</span>;
}

/** Held, or will be as soon as the attempt under way is over: what releasing undoes. */
function isHeld(item: QueueItem): boolean {
  return item.state === "held" || item.wish === "hold";
}

function columnsFor(reload: () => void): Column<QueueItem>[] {
  return [
    {
      name: "To",
      sort: "to_domain",
      cell: (i) => (
        <a href={`/messages/${i.trace_id}`}>
          <Quoted text={i.to} />
        </a>
      ),
    },
    { name: "From", cell: (i) => <Quoted text={i.from} empty="bounce" /> },
    {
      name: "State",
      cell: (i) => (
        <>
          <State of={i.state} />
          {i.kind === "receipt" && <span title="It has arrived; its sender asked to be told (NOTIFY=SUCCESS)"> receipt</span>}
          {i.tls === "required" && <span title="Its sender demands encryption all the way (REQUIRETLS)"> TLS required</span>}
          {i.tls === "optional" && <span title="Its sender says that it may go unencrypted (TLS-Required: No)"> TLS optional</span>}
        </>
      ),
    },
    { name: "Age", sort: "age", cell: (i) => duration((now.value - Date.parse(i.created_at)) / 1000), right: true },
    { name: "Tries", sort: "attempts", cell: (i) => count(i.attempts), right: true },
    { name: "Next try", sort: "next", cell: (i) => <NextTry item={i} />, right: true },
    {
      name: "Why",
      cell: (i) =>
        i.reason ? (
          <span title={i.reason.text}>
            {i.reason.plain || <Quoted text={i.reason.text} />}
            {i.reason.code && <span class="faint"> ({[i.reason.code, i.reason.enhanced].filter(Boolean).join(" ")})</span>}
          </span>
        ) : (
          <span class="faint">no try yet</span>
        ),
    },
    {
      name: "Do",
      cell: (i) => (
        <div class="row">
          <button onClick={() => void queueAction("retry", i.id, reload)}>Retry</button>
          {isHeld(i) ? (
            <button onClick={() => void queueAction("release", i.id, reload)}>Release</button>
          ) : (
            <button onClick={() => void queueAction("hold", i.id, reload)}>Hold</button>
          )}
        </div>
      ),
    },
  ];
}

/** Many at once: the plan is shown first, and exactly what it counted is acted on. */
function Plan({ plan, onClose, onDone }: { plan: ActionPlan; onClose: () => void; onDone: () => void }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [failed, setFailed] = useState<ActionResult["items"]>([]);
  const action = plan.action as Action;

  async function run() {
    try {
      const result = await call<ActionResult>("POST", "/queue/actions", { body: { plan_id: plan.plan_id } });
      toast(`${plural(result.done, "message")} ${DONE[action]}`);
      onDone();
      if (result.failed) setFailed(result.items);
      else onClose();
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      setProblem(p);
    }
  }
  return (
    <Dialog title={`${action[0]!.toUpperCase()}${action.slice(1)} ${plural(plan.count, "message")}?`} onClose={onClose}>
      <p>For example to:</p>
      <ul>
        {plan.sample.map((s) => (
          <li key={s.id}>
            <Quoted text={s.to} />
          </li>
        ))}
      </ul>
      {action === "delete" && <p>The senders are not told. This cannot be undone.</p>}
      {action === "bounce" && <p>Each sender gets a notice that their message was not delivered.</p>}
      {problem && <Notice problem={problem} />}
      {failed.length > 0 && (
        <div class="notice warn" role="alert">
          <strong>{plural(failed.length, "message")} could not be changed</strong>
          <ul>
            {failed.slice(0, 20).map((f) => (
              <li key={f.id}>
                <code>{f.id}</code> {f.error.detail ?? f.error.code}
              </li>
            ))}
          </ul>
        </div>
      )}
      <div class="row end">
        <button onClick={onClose}>{failed.length ? "Close" : "Cancel"}</button>
        {failed.length === 0 && (
          <button class={action === "delete" || action === "bounce" ? "danger" : "main"} onClick={() => void run()}>
            {action[0]!.toUpperCase() + action.slice(1)}
          </button>
        )}
      </div>
    </Dialog>
  );
}

const STATES = ["", "active", "deferred", "held", "scheduled"];
const ACTIONS: Action[] = ["retry", "hold", "release", "bounce", "delete"];

function Waiting() {
  const q = query.value.get("q") ?? "";
  const state = query.value.get("state") ?? "";
  const cursor = query.value.get("cursor") ?? undefined;
  const [text, setText] = useState(q);
  const [selected, setSelected] = useState(new Set<string>());
  const [plan, setPlan] = useState<ActionPlan | null>(null);
  const sort = query.value.get("sort") ?? "-age";
  const asked = { q, state, cursor, sort, count: true, limit: 50 };
  const list = useResource<Page<QueueItem>>("/queue", asked, ["queue"]);
  useEffect(() => setText(q), [q]);
  useEffect(() => setSelected(new Set()), [q, state, cursor, sort]);
  const rows = list.data?.items ?? [];
  const filter = [q, state && `state:${state}`].filter(Boolean).join(" ");

  async function prepare(action: Action, body: object) {
    try {
      setPlan(await call<ActionPlan>("POST", "/queue/actions", { query: { dry_run: true }, body: { action, ...body } }));
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      toast(p.message);
    }
  }

  return (
    <>
      <form
        class="filter"
        role="search"
        onSubmit={(e) => {
          e.preventDefault();
          setQuery({ q: text.trim(), cursor: undefined });
        }}
      >
        <input
          type="search"
          aria-label="Filter the queue"
          placeholder="to_domain:example.com age>1h"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <button class="main">Find</button>
      </form>
      <div class="chips" role="group" aria-label="State">
        {STATES.map((t) => (
          <button class="chip" key={t} aria-pressed={state === t} onClick={() => setQuery({ state: t, cursor: undefined })}>
            {t || "all"}
          </button>
        ))}
        {list.data?.count !== undefined && (
          <span class="faint" role="status">
            {count(list.data.count)}
            {list.data.count_capped && "+"} waiting
          </span>
        )}
        <Copy text={asCurl("GET", "/queue", { q, state, sort })} label="Copy as curl" />
      </div>
      {selected.size > 0 && (
        <div class="bulk" role="toolbar" aria-label="With the selected ones">
          <span>{count(selected.size)} selected</span>
          {ACTIONS.map((a) => (
            <button key={a} onClick={() => void prepare(a, { ids: [...selected] })}>
              {a[0]!.toUpperCase() + a.slice(1)}
            </button>
          ))}
          {filter && list.data?.next && (
            <button onClick={() => void prepare("retry", { filter })}>Retry all that match</button>
          )}
        </div>
      )}
      {list.problem && <Notice problem={list.problem} retry={list.reload} />}
      {list.data &&
        (rows.length ? (
          <>
            <Table
              label="Waiting messages"
              sort={sort}
              onSort={(s) => setQuery({ sort: s, cursor: undefined })}
              rows={rows}
              columns={columnsFor(list.reload)}
              open={(i) => `/messages/${i.trace_id}`}
              selected={selected}
              onSelect={setSelected}
              keys={{
                r: (i) => void queueAction("retry", i.id, list.reload),
                h: (i) => void queueAction(isHeld(i) ? "release" : "hold", i.id, list.reload),
              }}
            />
            <Pager prev={list.data.prev} next={list.data.next} onGo={(c) => setQuery({ cursor: c })} />
          </>
        ) : (
          <Empty title="Nothing waiting">
            <p>{filter ? "No message in the queue fits the filter." : "Every message has reached its next stop. What waits shows up here, with the reason and the next try."}</p>
          </Empty>
        ))}
      {plan && (
        <Plan
          plan={plan}
          onClose={() => setPlan(null)}
          onDone={() => {
            setSelected(new Set());
            list.reload();
          }}
        />
      )}
    </>
  );
}

const TABS: [id: string, label: string][] = [
  ["", "Waiting"],
  ["policies", "TLS policies"],
];

export function Queue() {
  const tab = query.value.get("tab") === "policies" ? "policies" : "";
  return (
    <>
      <div class="title">
        <h1>Queue</h1>
      </div>
      <Tabs label="Of the queue" base="/queue" tabs={TABS} at={tab} />
      {tab === "policies" ? <TlsPolicies /> : <Waiting />}
    </>
  );
}

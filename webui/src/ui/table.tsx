// A table that is a list of cards on a phone, walks with j and k, opens with Enter.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useKeys } from "../lib/keys";
import { go } from "../lib/router";

export interface Column<T> {
  name: string;
  cell: (row: T) => ComponentChildren;
  /** numbers stand right */
  right?: boolean;
  /** the key that the API sorts by */
  sort?: string;
}

function sortOf<T>(c: Column<T>, sort?: string): "ascending" | "descending" | "none" | undefined {
  if (!c.sort) return undefined;
  return sort === c.sort ? "ascending" : sort === `-${c.sort}` ? "descending" : "none";
}

/** A click on the row itself: not on what does something else, nor the end of marking a text. */
function isForRow(e: MouseEvent): boolean {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return false;
  if ((e.target as Element).closest("a, button, input, select, summary, details, label")) return false;
  return !getSelection()?.toString();
}

export function Table<T extends { id: string }>(p: {
  label: string;
  class?: string;
  rows: T[];
  columns: Column<T>[];
  open?: (row: T) => string;
  selected?: Set<string>;
  onSelect?: (ids: Set<string>) => void;
  keys?: Record<string, (row: T) => void>;
  /** what the rows are in order of, "key" or "-key", and how to ask for another order */
  sort?: string;
  onSort?: (sort: string) => void;
}) {
  // The cursor stays on its row while live updates move the others about; where its row goes
  // away it is nowhere, so that no key acts on another one, and walks on from there.
  const [id, setId] = useState("");
  const body = useRef<HTMLTableSectionElement>(null);
  const anchor = useRef(-1);
  const place = useRef(-1);
  const at = p.rows.findIndex((r) => r.id === id);
  const row = p.rows[at];
  if (row) place.current = at;

  useEffect(() => {
    body.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [id]);

  function walk(to: number) {
    const next = p.rows[Math.max(0, Math.min(p.rows.length - 1, to))];
    if (next) setId(next.id);
  }

  function toggle(index: number, isRange: boolean) {
    if (!p.onSelect || !p.selected || !p.rows[index]) return;
    const next = new Set(p.selected);
    const from = isRange && anchor.current >= 0 ? Math.min(anchor.current, index) : index;
    const to = isRange && anchor.current >= 0 ? Math.max(anchor.current, index) : index;
    const isOn = !next.has(p.rows[index].id);
    for (let i = from; i <= to; i++) {
      if (isOn) next.add(p.rows[i]!.id);
      else next.delete(p.rows[i]!.id);
    }
    anchor.current = index;
    p.onSelect(next);
  }

  const keys: Record<string, (e: KeyboardEvent) => void> = {
    j: () => walk(row ? at + 1 : Math.max(0, place.current)),
    k: () => walk((row ? at : place.current) - 1),
  };
  if (row && p.open) keys.Enter = () => go(p.open!(row));
  if (p.onSelect) {
    keys.x = () => toggle(at, false);
    keys.X = () => toggle(at, true);
  }
  for (const [key, fn] of Object.entries(p.keys ?? {})) keys[key] = () => row && fn(row);
  useKeys(keys);

  const isAll = p.rows.length > 0 && p.rows.every((r) => p.selected?.has(r.id));
  return (
    <table class={p.class}>
      <caption class="hidden">{p.label}</caption>
      <thead>
        <tr>
          {p.onSelect && (
            <th class="pick">
              <input
                type="checkbox"
                aria-label="Select all on this page"
                checked={isAll}
                onChange={() => p.onSelect!(new Set(isAll ? [] : p.rows.map((r) => r.id)))}
              />
            </th>
          )}
          {p.columns.map((c) => (
            <th key={c.name} scope="col" class={c.right ? "right" : ""} aria-sort={sortOf(c, p.sort)}>
              {c.sort && p.onSort ? (
                <button class="sort" onClick={() => p.onSort!(p.sort === c.sort ? `-${c.sort}` : c.sort!)}>
                  {c.name} <span aria-hidden="true">{{ ascending: "▲", descending: "▼", none: "" }[sortOf(c, p.sort)!]}</span>
                </button>
              ) : (
                c.name
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        {p.rows.map((r, i) => (
          <tr
            key={r.id}
            class={[i === at && "at", p.open && "opens"].filter(Boolean).join(" ")}
            aria-selected={p.selected?.has(r.id)}
            onClick={p.open && ((e) => isForRow(e) && go(p.open!(r)))}
          >
            {p.onSelect && (
              <td class="pick">
                <input
                  type="checkbox"
                  aria-label="Select this row"
                  checked={p.selected?.has(r.id)}
                  onClick={(e) => {
                    e.preventDefault();
                    toggle(i, e.shiftKey);
                  }}
                />
              </td>
            )}
            {p.columns.map((c) => (
              <td key={c.name} data-name={c.name} class={c.right ? "right" : ""}>
                {c.cell(r)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Cursor paging: newer and older, no page numbers. */
export function Pager(p: {
  prev: string | null;
  next: string | null;
  onGo: (cursor: string | undefined) => void;
  words?: [string, string];
}) {
  if (!p.prev && !p.next) return null;
  const [back, on] = p.words ?? ["Back", "More"];
  return (
    <nav class="pager" aria-label="Pages">
      <button disabled={!p.prev} onClick={() => p.onGo(p.prev ?? undefined)}>
        {back}
      </button>
      <button disabled={!p.next} onClick={() => p.onGo(p.next ?? undefined)}>
        {on}
      </button>
    </nav>
  );
}

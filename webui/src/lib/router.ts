// Where we are: the URL is the state. Links are ordinary links; clicks on ours do not reload.
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const href = signal(location.pathname + location.search);

export const path = computed(() => href.value.split("?")[0]!);
export const query = computed(() => new URLSearchParams(href.value.slice(path.value.length)));

/** to: a path with its query, and perhaps a #part of the page, which scrolls there itself. */
export function go(to: string, replace = false): void {
  if (to === href.peek()) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  href.value = to.split("#")[0]!;
  if (!replace) window.scrollTo(0, 0);
}

/** Changes some of the query, keeps the rest; empty values go. */
export function setQuery(changes: Record<string, string | undefined>, replace = false): void {
  const q = new URLSearchParams(query.peek());
  for (const [key, value] of Object.entries(changes)) {
    if (value) q.set(key, value);
    else q.delete(key);
  }
  const text = q.toString();
  go(path.peek() + (text ? `?${text}` : ""), replace);
}

/** What the page shows of its room, for the title of the tab and the browser's history. */
export const pageName = signal("");
export function usePageName(name: string | undefined): void {
  useEffect(() => {
    pageName.value = name ?? "";
    return () => {
      pageName.value = "";
    };
  }, [name]);
}

export function startRouter(): void {
  addEventListener("popstate", () => {
    href.value = location.pathname + location.search;
  });
  document.addEventListener("click", (event) => {
    const link = (event.target as Element).closest?.("a");
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
    if (link.pathname.startsWith("/api/") || link.pathname === "/docs") return;
    event.preventDefault();
    go(link.pathname + link.search + link.hash);
  });
}

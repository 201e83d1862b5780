// Keyboard: single keys and "g x" pairs, silent while somebody types, and off on request
// (WCAG 2.1.4).
import { useLayoutEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";

export const keysOn = signal(localStorage.getItem("keys") !== "0");

export function setKeysOn(on: boolean): void {
  keysOn.value = on;
  localStorage.setItem("keys", on ? "1" : "0");
}

type Handlers = Record<string, (event: KeyboardEvent) => void>;
const stack: { current: Handlers }[] = [];
let prefix = "";

function isTyping(target: EventTarget | null): boolean {
  const e = target as HTMLElement | null;
  return !!e && (e.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(e.tagName));
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !keysOn.peek()) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const key = prefix + event.key;
  prefix = "";
  if (key === "g") {
    prefix = "g ";
    setTimeout(() => (prefix = ""), 1000);
    return;
  }
  for (let i = stack.length - 1; i >= 0; i--) {
    const fn = stack[i]!.current[key];
    if (fn) {
      event.preventDefault();
      fn(event);
      return;
    }
  }
});

/** These keys, while the component is there. What was rendered last counts at once, not after
    the next paint: a second key may come before that. */
export function useKeys(handlers: Handlers): void {
  const mine = useRef(handlers);
  mine.current = handlers;
  useLayoutEffect(() => {
    stack.push(mine);
    return () => {
      stack.splice(stack.indexOf(mine), 1);
    };
  }, []);
}

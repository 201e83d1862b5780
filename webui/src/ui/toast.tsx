// A word about what was just done, politely announced, gone by itself.
import { signal } from "@preact/signals";

interface Message {
  id: number;
  text: string;
  undo?: () => void;
}
const messages = signal<Message[]>([]);
let next = 1;

const STAY_MS = 10000;

export function toast(text: string, undo?: () => void): void {
  const id = next++;
  // The same word again takes the place of the first; what can be undone stays.
  const others = messages.value.filter((m) => m.undo || m.text !== text);
  messages.value = [...others.slice(-2), { id, text, undo }];
  setTimeout(() => drop(id), undo ? STAY_MS : STAY_MS / 2);
}

function drop(id: number): void {
  messages.value = messages.value.filter((m) => m.id !== id);
}

export function undoLast(): void {
  const last = messages.value.findLast((m) => m.undo);
  if (!last) return;
  drop(last.id);
  last.undo!();
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {messages.value.map((m) => (
        <div class="toast" key={m.id}>
          <span>{m.text}</span>
          {m.undo && (
            <button
              onClick={() => {
                drop(m.id);
                m.undo!();
              }}
            >
              Undo
            </button>
          )}
          <button class="quiet" aria-label="Close" onClick={() => drop(m.id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}

import { useMemo } from "preact/hooks";
import { qrOf } from "../lib/qr";

const QUIET = 4; // light modules around it, as the standard wants

/** A text for a camera; nothing where it is too long for one. Dark on light in every theme. */
export function Qr({ text, label }: { text: string; label: string }) {
  const rows = useMemo(() => qrOf(text), [text]);
  if (!rows) return null;
  const n = rows.length + 2 * QUIET;
  const d = rows
    .flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : "")))
    .join("");
  return (
    <svg class="qr" viewBox={`0 0 ${n} ${n}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect width={n} height={n} class="qr-light" />
      <path d={d} class="qr-dark" />
    </svg>
  );
}

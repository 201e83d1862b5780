// Who could not be asked is asked again by itself: nobody has to sit there and press a button
// while the appliance starts, or the way to it is gone for a moment.
import { useEffect, useRef } from "preact/hooks";
import type { Problem } from "./api";

const FIRST_MS = 5000;
const MOST_MS = 60000;
/** Nobody answered; or somebody who cannot do it now, or stands before one who cannot. */
const PASSING = [0, 502, 503, 504];

/** Calls `ask` a while after each new problem that may be over by itself, after a failure that
 * follows another one in twice the time. Without a problem the next one is the first again. */
export function useAgain(problem: Problem | null, ask: () => void): void {
  const pause = useRef(FIRST_MS);
  useEffect(() => {
    if (!problem) pause.current = FIRST_MS;
    if (!problem || !PASSING.includes(problem.body.status)) return;
    const timer = setTimeout(ask, pause.current);
    pause.current = Math.min(2 * pause.current, MOST_MS);
    return () => clearTimeout(timer);
  }, [problem]);
}

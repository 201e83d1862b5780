// What a page shows of the server: fetched, kept while it is fetched again, with its age; and
// fetched once more when it could not be had.
import { useEffect, useRef, useState } from "preact/hooks";
import { useAgain } from "./again";
import { Problem, get, type CallOptions } from "./api";
import { onLive } from "./live";

export interface Resource<T> {
  data: T | null;
  problem: Problem | null;
  isLoading: boolean;
  reload: () => void;
}

/** path null: nothing to fetch (yet). The data of the same path stays while it is reloaded. */
export function useResource<T>(
  path: string | null,
  query: CallOptions["query"] = {},
  topics: string[] = [],
): Resource<T> {
  const [state, setState] = useState<{ key: string; data: T | null; problem: Problem | null }>({
    key: "",
    data: null,
    problem: null,
  });
  const [turn, setTurn] = useState(0);
  const [isLoading, setLoading] = useState(true);
  const key = path + JSON.stringify(query);
  const last = useRef(key);
  last.current = key;

  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    setLoading(true);
    get<T>(path, query, abort.signal)
      .then((data) => {
        if (!abort.signal.aborted) setState({ key, data, problem: null });
      })
      .catch((problem) => {
        if (problem instanceof Problem && !abort.signal.aborted)
          setState((s) => ({ key, data: s.key === key ? s.data : null, problem }));
      })
      .finally(() => {
        if (last.current === key) setLoading(false);
      });
    return () => abort.abort();
  }, [key, turn]);

  useEffect(
    () => (topics.length ? onLive(topics, () => setTurn((t) => t + 1)) : undefined),
    [topics.join()],
  );

  const fits = state.key === key;
  const problem = fits ? state.problem : null;
  const reload = () => setTurn((t) => t + 1);
  useAgain(problem, reload);
  return { data: fits ? state.data : null, problem, isLoading, reload };
}

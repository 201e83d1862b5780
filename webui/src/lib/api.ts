// The dashboard's way to the public API: nothing here that curl could not do as well.

export interface ProblemBody {
  title: string;
  status: number;
  code: string;
  detail?: string;
  request_id?: string;
  errors?: { pointer: string; code: string; detail?: string; position?: number }[];
}

/** What the server said no with, or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(readonly body: ProblemBody) {
    super(body.detail || body.title);
  }

  /** The message for one field of a form, by its JSON pointer. */
  field(pointer: string): string | undefined {
    const found = this.body.errors?.find((e) => e.pointer === pointer);
    return found && (found.detail || found.code.replaceAll("_", " "));
  }
}

export const BASE = "/api/v1";

let csrfToken = "";
let signedOut: () => void = () => {};

/** Called when a request says that the session has ended. */
export function onSignedOut(fn: () => void): void {
  signedOut = fn;
}

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

export interface CallOptions {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  etag?: string;
  signal?: AbortSignal;
  /** 401 is an answer, not the end of the session. */
  quiet?: boolean;
}

export function urlOf(path: string, query: CallOptions["query"] = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return BASE + path + (text ? `?${text}` : "");
}

export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.etag) headers["If-Match"] = options.etag;
  if (method !== "GET" && csrfToken) headers["X-CSRF-Token"] = csrfToken;
  let answer: Response;
  try {
    answer = await fetch(urlOf(path, options.query), {
      method,
      headers,
      credentials: "same-origin",
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new Problem({ title: "The appliance does not answer", status: 0, code: "offline" });
  }
  if (answer.status === 204) return undefined as T;
  const body: unknown = await answer.json().catch((error: Error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (!answer.ok && answer.status !== 207) {
    // A proxy on the way says what it likes; the status is HTTP's.
    const problem = new Problem({
      title: `Status ${answer.status}`,
      code: "",
      ...(body as Partial<ProblemBody> | null),
      status: answer.status,
    });
    if (answer.status === 401 && !options.quiet) signedOut();
    throw problem;
  }
  if (body === null && method === "GET")
    throw new Problem({ title: "Something between here and the appliance answered instead of it", status: answer.status, code: "foreign" });
  return body as T;
}

export const get = <T>(path: string, query?: CallOptions["query"], signal?: AbortSignal) =>
  call<T>("GET", path, { query, signal });

/** The same request for a shell; the token stands as a variable. */
export function asCurl(method: string, path: string, query?: CallOptions["query"], body?: unknown): string {
  const quote = (s: string) => `'${s.replaceAll("'", "'\\''")}'`;
  const parts = ["curl", "-H", '"Authorization: Bearer $TOKEN"'];
  if (method !== "GET") parts.push("-X", method);
  if (body !== undefined) parts.push("--json", quote(JSON.stringify(body)));
  parts.push(quote(location.origin + urlOf(path, query)));
  return parts.join(" ");
}

// The one client of the control plane: every call of the console goes through `call`.

/** A refused or failed call: AWS's exception and text, or what kept the call from being answered. */
export class ApiError extends Error {
  constructor(
    /** 0 when nothing answered. */
    readonly status: number,
    /** AWS's exception: `NotFoundException`. */
    readonly exception: string,
    message: string,
    readonly requestId?: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export type Query = Record<string, string | number | boolean | undefined>;

export interface Call {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Query | undefined;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  raw?: { content: string | Blob; type: string };
  accept?: string;
  signal?: AbortSignal | undefined;
}

/** Who is signed in. Without authentication nobody need be. */
export interface Session {
  authentication: boolean;
  signedIn: boolean;
  accessKeyId?: string;
  csrfToken?: string;
  idleTimeoutS?: number;
}

/** How long a call may take; imports of large files take a while. */
const TIMEOUT_MS = 120_000;

let csrfToken: string | undefined;
/** Asks the person to sign in again, and is kept until that is done. */
let signInAgain: (() => Promise<void>) | undefined;

export function onSignInNeeded(ask: () => Promise<void>) {
  signInAgain = ask;
}

/** Calls, and reads the JSON of the answer. A session that has ended is begun again before the call is repeated. */
export async function call<T>(request: Call): Promise<T> {
  const response = await answer(request);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** The same for an answer that is no JSON. */
export async function download(request: Call): Promise<{ content: Blob; name: string | undefined }> {
  const response = await answer(request);
  const disposition = response.headers.get("content-disposition") ?? "";
  return { content: await response.blob(), name: /filename="([^"]+)"/.exec(disposition)?.[1] };
}

async function answer(request: Call): Promise<Response> {
  for (;;) {
    const response = await send(request);
    if (response.ok) return response;
    const error = await refusal(response);
    if (error.status !== 401 || !signInAgain) throw error;
    await signInAgain();
  }
}

async function send(request: Call): Promise<Response> {
  const headers = new Headers({ accept: request.accept ?? "application/json" });
  if (csrfToken) headers.set("x-tollgate-csrf", csrfToken);
  let body: BodyInit | null = null;
  if (request.raw) {
    headers.set("content-type", request.raw.type);
    body = request.raw.content;
  } else if (request.body !== undefined) {
    headers.set("content-type", "application/json");
    body = JSON.stringify(request.body);
  }
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
  const init: RequestInit = { method: request.method ?? "GET", headers, body, signal, cache: "no-store" };
  try {
    return await fetch(request.path + queryText(request.query), init);
  } catch (cause) {
    if (request.signal?.aborted) throw cause;
    const text = timeout.aborted
      ? "The gateway took too long to answer. Look whether the change was made before you try again."
      : "The gateway does not answer. Nothing you typed is lost: try again when it runs.";
    throw new ApiError(0, "Unreachable", text);
  }
}

function queryText(query: Query | undefined): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

async function refusal(response: Response): Promise<ApiError> {
  const exception = response.headers.get("x-amzn-errortype") ?? `HTTP ${response.status}`;
  const requestId = response.headers.get("x-amzn-requestid") ?? undefined;
  const text = await response.text().catch(() => "");
  let message = text;
  try {
    const body = JSON.parse(text) as { message?: string; Message?: string };
    message = body.message ?? body.Message ?? text;
  } catch {
    // Not JSON: shown as it is.
  }
  return new ApiError(response.status, exception, message || `The gateway answered ${response.status}.`, requestId);
}

/** A path with its labels percent-encoded: path`/apikeys/${id}`. */
export function path(parts: TemplateStringsArray, ...labels: string[]): string {
  return parts.reduce((text, part, index) => text + encodeURIComponent(labels[index - 1] ?? "") + part);
}

export const session = {
  /** Who is signed in; also learns the token for further calls. */
  async look(): Promise<Session> {
    return remember(await sessionCall("GET"));
  },
  async signIn(accessKeyId: string, secretAccessKey: string): Promise<Session> {
    return remember(await sessionCall("POST", { accessKeyId, secretAccessKey }));
  },
  async signOut(): Promise<Session> {
    return remember(await sessionCall("DELETE"));
  },
};

/** A 401 or 403 here is the person's, not an ended session. */
async function sessionCall(method: "GET" | "POST" | "DELETE", body?: unknown): Promise<Session> {
  const response = await send({ method, path: "/tollgate/session", body });
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as Session;
}

function remember(found: Session): Session {
  csrfToken = found.csrfToken;
  return found;
}

import { isUnsentError } from "./unsentErrors.js";

/** There was no answer, or the answer was not from the Bot API. The error contains neither the bot token nor the answer. */
export class TelegramConnectionError extends Error {
  override readonly name = "TelegramConnectionError";
  /** Whether Telegram may have carried out the call. */
  readonly outcomeUnknown: boolean;

  constructor(reason: string, outcomeUnknown: boolean) {
    super(
      `${reason}. ${
        outcomeUnknown ? "Nobody knows whether Telegram carried the call out" : "Nothing was carried out"
      }.`,
    );
    this.outcomeUnknown = outcomeUnknown;
  }
}

/** The most bytes of an answer. Answers of the Bot API are far shorter. */
const MAX_ANSWER = 1024 * 1024;
/** The fewest characters of a text that is hidden. A shorter part of a token may occur in an answer by chance. */
const SHORTEST_HIDDEN = 6;

/** Replaces a bot token in a text. The second half of a token, the secret, is replaced on its own as well. */
function hiding(token: string): (text: string) => string {
  const [, secret = ""] = token.split(":");
  const forms = [token, encodeURIComponent(token), secret].filter(
    (form) => form.length >= SHORTEST_HIDDEN || form === token,
  );
  return (text) => forms.reduce((rest, form) => rest.replaceAll(form, "[secret]"), text);
}

/** Changes every string in a JSON value, including the names of fields. */
function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [change(name), mapTexts(field, change)]),
  );
}

/** Only a 4xx status shows that nothing was carried out. */
const notUnderstood = (status: number): TelegramConnectionError =>
  new TelegramConnectionError(
    `The answer does not come from a Bot API server (HTTP status ${status})`,
    status < 400 || status >= 500,
  );

async function readBody({ body, status }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER) throw notUnderstood(status);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function connectionError(error: unknown, signal: AbortSignal): TelegramConnectionError {
  if (error instanceof TelegramConnectionError) return error;
  if (signal.aborted) {
    const late = (signal.reason as Error | null)?.name === "TimeoutError";
    return new TelegramConnectionError(
      late ? "Telegram did not answer in time" : "The call was aborted",
      true,
    );
  }
  // Only the code is kept: messages and causes may contain the address, which contains the token.
  const { code, message } = ((error as Error).cause ?? {}) as { code?: unknown; message?: unknown };
  if (message === "bad port") {
    return new TelegramConnectionError("The port of the API root is one that fetch never connects to", false);
  }
  const known = typeof code === "string" && /^\w+$/.test(code) ? ` (${code})` : "";
  return new TelegramConnectionError(`Telegram cannot be reached${known}`, !isUnsentError(code));
}

export interface SingleCall<Answer> {
  readonly token: string;
  /** An http(s) address; a path in it is kept. */
  readonly apiRoot: string;
  readonly method: string;
  readonly payload: object;
  readonly signal: AbortSignal;
  /** Whether a JSON value is a result or an error of the Bot API for this method. */
  readonly isAnswer: (value: unknown) => value is Answer;
}

/**
 * Sends one call to the Bot API and returns the whole answer, also when it is an error; a bot token in the answer is
 * replaced. Uses fetch, because Telegraf drops parts of an error's answer (all of it above status 499) and puts the token
 * into some of its own errors.
 * @throws TelegramConnectionError
 */
export async function sendSingleCall<Answer>(call: SingleCall<Answer>): Promise<Answer> {
  const { token, apiRoot, method, payload, signal, isAnswer } = call;
  if (signal.aborted) throw new TelegramConnectionError("The call was aborted", false);
  let status: number;
  let text: string;
  try {
    const response = await fetch(`${apiRoot.replace(/\/+$/, "")}/bot${token}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(payload),
      // Every server of a followed redirect would receive the token and could carry out the call.
      redirect: "manual",
      signal,
    });
    status = response.status;
    text = await readBody(response);
  } catch (error) {
    throw connectionError(error, signal);
  }
  let answer: unknown;
  try {
    answer = mapTexts(JSON.parse(text), hiding(token));
  } catch {
    throw notUnderstood(status);
  }
  if (!isAnswer(answer)) throw notUnderstood(status);
  return answer;
}

import { isUnsentError } from "./unsentErrors.js";

/** Telegram gave no answer, or none of the Bot API's. Holds neither the bot token nor what was answered. */
export class TelegramConnectionError extends Error {
  override readonly name = "TelegramConnectionError";
  /** Telegram may have done what it was asked for; nobody knows. */
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

/** Bytes; the Bot API's answers are far shorter. */
const MAX_ANSWER = 1024 * 1024;
/** A shorter part of a token stands in answers for other things, and to replace it would spoil them. */
const SHORTEST_HIDDEN = 6;

/** Takes a bot token out of a text: its second half, which is the secret, alone as well. */
function hiding(token: string): (text: string) => string {
  const [, secret = ""] = token.split(":");
  const forms = [token, encodeURIComponent(token), secret].filter(
    (form) => form.length >= SHORTEST_HIDDEN || form === token,
  );
  return (text) => forms.reduce((rest, form) => rest.replaceAll(form, "[secret]"), text);
}

/** Changes every text in a JSON value, the names of fields too. */
function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [change(name), mapTexts(field, change)]),
  );
}

/** Nothing was done only where the answer says so: a refusal of the request's. */
const notUnderstood = (status: number): TelegramConnectionError =>
  new TelegramConnectionError(
    `The answer is none of the Bot API's (HTTP status ${status})`,
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
  // Nothing but the code: messages and causes may hold the address, and with it the token.
  const { code, message } = ((error as Error).cause ?? {}) as { code?: unknown; message?: unknown };
  if (message === "bad port") {
    return new TelegramConnectionError("The API root's port is one that fetch never connects to", false);
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
  /** Whether a JSON value is an answer of the Bot API to this method, a refusal included. */
  readonly isAnswer: (value: unknown) => value is Answer;
}

/**
 * Carries one call to the Bot API and gives back its answer whole, a refusal's too, but for the bot token, should it be
 * in it. By plain fetch: Telegraf keeps of a refusal only parts, of one above 499 nothing, and holds the token in some
 * of its errors.
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
      // Followed, each hop would be told the token, and could carry the call out again.
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

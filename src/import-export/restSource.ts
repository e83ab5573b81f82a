import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import type { SourceRow } from "../domain/transfer/importLinks.js";
import type { LinkRecord } from "../domain/transfer/linkRecord.js";
import { SourceError } from "./sourceError.js";

export interface RestSourceOptions {
  /** The base address of the API. */
  readonly url: URL;
  readonly token: string;
  readonly chatId: number;
  /** The number of links in one request. */
  readonly pageSize: number;
  /** Called with the number of all links, for every page. */
  readonly onTotal?: (total: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** The time limit of one request, in milliseconds. */
  readonly timeoutMs?: number;
  /** Replaces the waiting time in tests. */
  readonly pause?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

const TIMEOUT_MS = 30_000;
/** The waits after failed requests for one page, in milliseconds. When all are used up, the import fails. */
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 16_000];
/** How often the API may ask to wait (429) for one page, and the longest wait. */
const MAX_WAITS = 10;
const MAX_WAIT_MS = 300_000;
/** How often all pages are read. They are read again if links were deleted meanwhile, which moves links to other pages. */
const MAX_PASSES = 3;
const MAX_DETAIL_LENGTH = 300;

const pageSchema = z.object({
  total: z.int().nonnegative(),
  items: z.array(z.record(z.string(), z.unknown())),
});
type Page = z.infer<typeof pageSchema>;

/** A failure of one request. The same request may succeed later. */
class TemporaryError extends Error {
  override readonly name = "TemporaryError";
  /** How long the API asks to wait; null without a Retry-After header. */
  readonly waitMs: number | null;

  constructor(message: string, waitMs: number | null = null) {
    super(message);
    this.waitMs = waitMs;
  }
}

const isColor = (value: unknown): boolean => typeof value === "string" && /^#[0-9a-f]{6}$/i.test(value);

function toTag(tag: unknown): unknown {
  const { name, color, type } = Object(tag) as Record<string, unknown>;
  return {
    type: (Object(type) as Record<string, unknown>)["name"],
    name,
    color: isColor(color) ? color : null,
  };
}

/** Converts an item of a page to a transfer record. Other properties of the item are ignored. */
function toRecord(item: Readonly<Record<string, unknown>>): LinkRecord {
  const { invite_link, tags } = item;
  const { channel_id, name, budget, created_at, creator_id, expire_date, member_limit } = item;
  const { creates_join_request, is_bot_created } = item;
  return {
    channel_id,
    url: invite_link,
    name,
    budget,
    created_at,
    creator_id,
    expire_date,
    member_limit,
    creates_join_request,
    is_bot_created,
    tags: Array.isArray(tags) ? tags.map(toTag) : tags,
  };
}

/** The id or address of an item for messages; only a text or a number is used, because another value could be huge. */
function nameOf({ id, invite_link }: Readonly<Record<string, unknown>>): string {
  const name = [id, invite_link].find((value) => typeof value === "string" || typeof value === "number");
  return name === undefined ? "without an id" : String(name);
}

/** The wait that a Retry-After header asks for, in milliseconds; null without a valid header. */
function retryAfterMs(header: string | null): number | null {
  if (header === null) return null;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), MAX_WAIT_MS);
}

const oneLine = (text: string): string =>
  text
    .replace(/[\s\p{C}]+/gu, " ")
    .trim()
    .slice(0, MAX_DETAIL_LENGTH);

/** The API's own explanation of a refusal, on one line. */
function detailOf(body: string): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return oneLine(typeof detail === "string" ? detail : (JSON.stringify(detail) ?? ""));
  } catch {
    return oneLine(body);
  }
}

/** Reads links from a REST API as described in docs/import-export.md. */
export class RestSource {
  readonly #options: RestSourceOptions;

  constructor(options: RestSourceOptions) {
    this.#options = options;
  }

  /**
   * Reads all links of the channel, each once. The oldest come first, so that links created meanwhile are at the end. If
   * links are deleted meanwhile, others move to pages that were already read, so all pages are read again.
   * @throws SourceError if the API refuses, keeps failing, or answers in an unknown form
   */
  async *rows(): AsyncGenerator<SourceRow> {
    /** The number of the last pass in which a link was found, by the link's place. */
    const seen = new Map<string, number>();
    let total = 0;
    let given = 0;
    for (let pass = 1; pass <= MAX_PASSES; pass++) {
      total = 0;
      given = 0;
      let shrunk = false;
      for await (const page of this.#pages()) {
        shrunk ||= page.total < total;
        total = page.total;
        for (const item of page.items) {
          const record = toRecord(item);
          const place = `link ${nameOf(item)}`;
          const before = seen.get(place);
          seen.set(place, pass);
          if (before !== pass) given += 1;
          if (before === undefined) yield { place, record };
        }
      }
      if (!shrunk && given >= total) return;
    }
    throw new SourceError(
      `The API has ${total} links but returned ${given}, because its links changed during the import. Run the same command again.`,
    );
  }

  async *#pages(): AsyncGenerator<Page> {
    let received = 0;
    for (let number = 1; ; number++) {
      const page = await this.#page(number);
      received += page.items.length;
      this.#options.onTotal?.(page.total);
      yield page;
      if (page.items.length === 0 || received >= page.total) return;
    }
  }

  /** Requests a page, and repeats the request after temporary errors. */
  async #page(number: number): Promise<Page> {
    const { signal, pause = (ms, by) => delay(ms, undefined, by ? { signal: by } : {}) } = this.#options;
    let failures = 0;
    let waits = 0;
    for (;;) {
      try {
        return await this.#request(number);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TemporaryError)) throw error;
        const backoff = BACKOFF_MS[failures];
        const mayWait = error.waitMs === null ? backoff !== undefined : waits < MAX_WAITS;
        if (!mayWait) throw new SourceError(`${error.message} Page ${number} was requested several times.`);
        if (error.waitMs === null) failures += 1;
        else waits += 1;
        await pause(error.waitMs ?? backoff ?? 0, signal);
      }
    }
  }

  async #request(number: number): Promise<Page> {
    const { response, body } = await this.#send(number);
    if (response.status === 429) {
      const wait = retryAfterMs(response.headers.get("retry-after"));
      throw new TemporaryError("The API accepts no more requests for now (429).", wait);
    }
    if (response.status >= 500 || response.status === 408) {
      throw new TemporaryError(`The API failed (${response.status}).`);
    }
    if (!response.ok) throw this.#refusal(response, body);
    let json: unknown;
    try {
      json = JSON.parse(body);
    } catch {
      throw new TemporaryError("The API's answer is not JSON.");
    }
    const page = pageSchema.safeParse(json);
    if (page.success) return page.data;
    const [issue] = page.error.issues;
    throw new SourceError(
      `The API's answer is not a page of links: ${issue?.path.join(".") || "the whole"}: ${issue?.message}.`,
    );
  }

  async #send(number: number): Promise<{ response: Response; body: string }> {
    const { token, chatId, pageSize, signal, timeoutMs = TIMEOUT_MS } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    const address = this.#address();
    address.search = new URLSearchParams([
      ["channel_id", String(chatId)],
      ["page", String(number)],
      ["limit", String(pageSize)],
      // Sorting by a second field keeps links with equal times on their pages.
      ["ordered_fields", "created_at"],
      ["ordered_fields", "name"],
    ]).toString();
    try {
      const response = await fetch(address, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: "{}",
        // A redirect is not followed, because the token must not be sent to another address.
        redirect: "manual",
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      return { response, body: await response.text() };
    } catch (error) {
      const { code = (error as Error).name } = ((error as Error).cause ?? {}) as { code?: string };
      throw new TemporaryError(
        timeout.aborted
          ? `The API did not answer within ${timeoutMs / 1000} s.`
          : `The API at ${address.origin} cannot be reached, or the connection broke (${code}).`,
      );
    }
  }

  #address(): URL {
    const address = new URL(this.#options.url);
    address.pathname = `${address.pathname.replace(/\/+$/, "")}/invite_links/all`;
    return address;
  }

  #refusal({ status, headers }: Response, body: string): SourceError {
    const { token, chatId } = this.#options;
    const address = `${this.#address()}`;
    if (status >= 300 && status < 400) {
      const location = headers.get("location") ?? "";
      const to = URL.canParse(location, address) ? new URL(location, address) : null;
      return new SourceError(
        `The API redirects (${status})${to ? ` to ${to.origin}${to.pathname}` : ""}. The token is not sent there; use the API's actual address.`,
      );
    }
    const explanation = detailOf(body).replaceAll(token, "[token]");
    const detail = explanation === "" ? "" : ` It says: ${explanation}`;
    const reasons: Readonly<Record<number, string>> = {
      401: "The API does not accept the token (401).",
      403: `The token may not read the channel ${chatId} (403).`,
      404: `There is no API at ${address} (404).`,
      422: "The API does not accept the request (422).",
    };
    return new SourceError(`${reasons[status] ?? `The API refuses the request (${status}).`}${detail}`);
  }
}

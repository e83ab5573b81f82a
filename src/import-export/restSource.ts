import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import type { SourceRow } from "../domain/transfer/importLinks.js";
import type { LinkRecord } from "../domain/transfer/linkRecord.js";
import { SourceError } from "./sourceError.js";

export interface RestSourceOptions {
  /** What the API's paths begin with. */
  readonly url: URL;
  readonly token: string;
  readonly chatId: number;
  /** Links asked for at a time. */
  readonly pageSize: number;
  readonly onTotal?: (total: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** How long one try may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** Waits so many milliseconds; for tests. */
  readonly pause?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

const TIMEOUT_MS = 30_000;
/** The waits, in milliseconds, after answers that were none. */
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 16_000];
/** How often in a row the API may ask to wait, and how long at most. */
const MAX_WAITS = 10;
const MAX_WAIT_MS = 300_000;
/** How often all pages are read where links came or went meanwhile, which moves others from page to page. */
const MAX_PASSES = 3;
const MAX_DETAIL_LENGTH = 300;

const pageSchema = z.object({
  total: z.int().nonnegative(),
  items: z.array(z.record(z.string(), z.unknown())),
});
type Page = z.infer<typeof pageSchema>;

/** An answer that may be another one at the next try. */
class PassingFailure extends Error {
  override readonly name = "PassingFailure";
  /** Null: the API did not say when. */
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

/** An item of the API's pages; what it has beside is its own. */
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

/** What an item is called; a list or an object there is no name, however deep it is. */
function nameOf({ id, invite_link }: Readonly<Record<string, unknown>>): string {
  const name = [id, invite_link].find((value) => typeof value === "string" || typeof value === "number");
  return name === undefined ? "without an id" : String(name);
}

/** What Retry-After says, as seconds or as a date. */
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

/** What the API itself says of its refusal. */
function detailOf(body: string): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return oneLine(typeof detail === "string" ? detail : (JSON.stringify(detail) ?? ""));
  } catch {
    return oneLine(body);
  }
}

/** An API of links as docs/import-export.md describes it. */
export class RestSource {
  readonly #options: RestSourceOptions;

  constructor(options: RestSourceOptions) {
    this.#options = options;
  }

  /**
   * All links of the channel, each once, the oldest first: those that are made meanwhile come last. Where some are
   * deleted meanwhile, others move to pages that were read before, and all are read again.
   * @throws SourceError where the API refuses, fails for long, or answers something else
   */
  async *rows(): AsyncGenerator<SourceRow> {
    /** By place, the pass that gave it last. */
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
      `The API counts ${total} links and gave ${given}: they changed while they were read. Run the same command again.`,
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

  /** A page, asked for again as long as it may still come. */
  async #page(number: number): Promise<Page> {
    const { signal, pause = (ms, by) => delay(ms, undefined, by ? { signal: by } : {}) } = this.#options;
    let failures = 0;
    let waits = 0;
    for (;;) {
      try {
        return await this.#ask(number);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PassingFailure)) throw error;
        const backoff = BACKOFF_MS[failures];
        const mayWait = error.waitMs === null ? backoff !== undefined : waits < MAX_WAITS;
        if (!mayWait)
          throw new SourceError(`${error.message} It was asked for page ${number} several times.`);
        if (error.waitMs === null) failures += 1;
        else waits += 1;
        await pause(error.waitMs ?? backoff ?? 0, signal);
      }
    }
  }

  async #ask(number: number): Promise<Page> {
    const { response, body } = await this.#send(number);
    if (response.status === 429) {
      const wait = retryAfterMs(response.headers.get("retry-after"));
      throw new PassingFailure("The API takes no more requests for now (429).", wait);
    }
    if (response.status >= 500 || response.status === 408) {
      throw new PassingFailure(`The API fails (${response.status}).`);
    }
    if (!response.ok) throw this.#refusal(response, body);
    let json: unknown;
    try {
      json = JSON.parse(body);
    } catch {
      throw new PassingFailure("The API answers with something that is not JSON.");
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
      // Equally old ones in an order at all, so that they do not change pages.
      ["ordered_fields", "created_at"],
      ["ordered_fields", "name"],
    ]).toString();
    try {
      const response = await fetch(address, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: "{}",
        // The token is for this address alone.
        redirect: "manual",
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      return { response, body: await response.text() };
    } catch (error) {
      const { code = (error as Error).name } = ((error as Error).cause ?? {}) as { code?: string };
      throw new PassingFailure(
        timeout.aborted
          ? `The API did not answer within ${timeoutMs / 1000} s.`
          : `The API at ${address.origin} cannot be reached, or breaks off (${code}).`,
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
        `The API redirects (${status})${to ? ` to ${to.origin}${to.pathname}` : ""}, where the token is not sent: give the address it is at.`,
      );
    }
    const said = detailOf(body).replaceAll(token, "[token]");
    const detail = said === "" ? "" : ` It says: ${said}`;
    const reasons: Readonly<Record<number, string>> = {
      401: "The API does not accept the token (401).",
      403: `The token may not read the channel ${chatId} (403).`,
      404: `There is nothing at ${address} (404).`,
      422: "The API does not accept the request (422).",
    };
    return new SourceError(`${reasons[status] ?? `The API refuses the request (${status}).`}${detail}`);
  }
}

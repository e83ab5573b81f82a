import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { BATCH_DOCUMENTS } from "../batchDocuments.js";
import type { SourceRow } from "../domain/transfer/importLinks.js";
import type { NewLink } from "../domain/transfer/linkRecord.js";
import { addressOption } from "./addressOption.js";
import { ApiClient } from "./apiClient.js";
import { columnMapOf, mapOption } from "./columnOptions.js";
import { UsageError } from "./errors.js";
import { chatIdOption } from "./idOptions.js";
import { print } from "./output.js";
import { Progress } from "./progress.js";
import { ReportFile } from "./reportFile.js";

/** The most links that one batch takes. */
const BATCH_SIZE = 1000;
/** The most bytes of a batch's links as JSON. The server takes requests of 1 MiB. */
const BATCH_BYTES = 1_000_000;
/** Between two looks at a batch, in milliseconds. */
const LOOK_MS = 1000;
const SHOWN = 10;

interface PageInfo {
  readonly endCursor: string | null;
  readonly hasNextPage: boolean;
}

interface Batch {
  readonly id: string;
  readonly state: string;
  readonly totalCount: number;
  readonly madeCount: number;
  readonly failedCount: number;
  readonly uncertainCount: number;
  readonly finishedAt: string | null;
  readonly waitingUntil: string | null;
}

interface Item {
  readonly index: number;
  readonly name: string;
  readonly externalId: string | null;
  readonly state: string;
  readonly inviteLink: { readonly url: string } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

interface CreateResult {
  readonly batch?: Batch;
  readonly message?: string;
  readonly fieldErrors?: readonly { readonly field: string; readonly message: string }[];
}

interface Options {
  readonly server: URL;
  readonly channel: number;
  readonly file: string;
  readonly map: readonly string[];
  readonly report?: string;
}

/** A link of the file, with its place there. */
interface PlacedLink {
  readonly place: string;
  readonly link: NewLink;
}

/** A link as createInviteLinks takes it, with its place in the file. */
interface PlacedInput {
  readonly place: string;
  readonly input: {
    readonly name: string;
    readonly externalId: string | null;
    readonly [field: string]: unknown;
  };
}

/** What became of a link. */
interface Result {
  readonly place: string;
  readonly name: string;
  readonly externalId: string | null;
  /** A state of an item, or REFUSED if the server did not accept the batch. */
  readonly state: string;
  readonly url: string | null;
  readonly error: string | null;
}

/** @throws Error that names every row that is not acceptable, at most SHOWN of them */
async function readLinks({ file, channel, map }: Options): Promise<{ links: PlacedLink[]; hash: string }> {
  const columns = await columnMapOf(map);
  const { readFileOfLinks } = await import("../import-export/files.js");
  const { readNewLink } = await import("../domain/transfer/linkRecord.js");
  const { Problems } = await import("../domain/shared/errors.js");
  const stream = createReadStream(file);
  await once(stream, "open");
  const hash = createHash("sha256").update(JSON.stringify([channel, [...map].sort()]));
  const chunks = (async function* () {
    for await (const chunk of stream) {
      hash.update(chunk as Buffer);
      yield chunk as Buffer;
    }
  })();
  const links: PlacedLink[] = [];
  const refused: string[] = [];
  const read = ({ place, record }: SourceRow): void => {
    const problems = new Problems();
    if ("unreadable" in record) problems.add("row", String(record.unreadable));
    const link = "unreadable" in record ? null : readNewLink(record, channel, problems);
    if (link) links.push({ place, link });
    else
      refused.push(`${place}: ${problems.all.map(({ field, message }) => `${field}: ${message}`).join(" ")}`);
  };
  for await (const row of readFileOfLinks(chunks, columns, "name")) read(row);
  if (refused.length > 0) {
    const rest = refused.length > SHOWN ? ` (and ${refused.length - SHOWN} more rows)` : "";
    throw new Error(`No link was created. ${refused.slice(0, SHOWN).join(" ")}${rest}`);
  }
  if (links.length === 0) throw new Error("There are no links in the file.");
  return { links, hash: hash.digest("hex") };
}

/**
 * Divides links into batches. The same links give the same batches, because the batches are found again by their
 * positions.
 */
function batchesOf(links: readonly PlacedInput[]): PlacedInput[][] {
  const batches: PlacedInput[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const link of links) {
    const own = Buffer.byteLength(JSON.stringify(link.input)) + 1;
    bytes += own;
    const last = batches.at(-1);
    if (last && last.length < BATCH_SIZE && bytes <= BATCH_BYTES) last.push(link);
    else {
      batches.push([link]);
      bytes = own;
    }
  }
  return batches;
}

/** Whether an administrator found that the link of an uncertain item was not created. A server fails no other item so. */
const isSettled = ({ state, error }: Item): boolean =>
  state === "FAILED" && error?.code === "TELEGRAM_UNAVAILABLE";

/**
 * The links of a batch that may be sent once more, and a name for each group of them. A group must not change after its
 * batch has ended, since it is found again by the name: so settled items wait until no item is uncertain.
 */
function sentAgain(items: readonly Item[]): (readonly [name: string, items: readonly Item[]])[] {
  const failed = items.filter(
    (item) => (item.state === "FAILED" && !isSettled(item)) || item.state === "CANCELLED",
  );
  const settled = items.some(({ state }) => state === "UNCERTAIN") ? [] : items.filter(isSettled);
  const groups = [["after", failed] as const, ["settled", settled] as const];
  return groups.filter(([, group]) => group.length > 0);
}

/** Creates the links of a file through the API of a server. */
class Creation {
  readonly #client: ApiClient;
  readonly #channelId: number;
  readonly #signal: AbortSignal;
  readonly #onResult: (result: Result) => void;
  readonly #progress = new Progress();
  readonly total: number;
  /** Of the batches that have ended. */
  readonly results: Result[] = [];
  /** Whether the server has answered to a batch. */
  isBegun = false;

  constructor(
    client: ApiClient,
    channelId: number,
    total: number,
    signal: AbortSignal,
    onResult: (result: Result) => void,
  ) {
    this.#client = client;
    this.#channelId = channelId;
    this.total = total;
    this.#signal = signal;
    this.#onResult = onResult;
  }

  /** @param key for the idempotency keys of the batches */
  async run(links: readonly PlacedLink[], key: string): Promise<void> {
    try {
      const idOf = await this.#tagIds(links);
      const inputs = links.map(({ place, link }) => ({ place, input: toInput(place, link, idOf) }));
      for (const [index, part] of batchesOf(inputs).entries()) {
        for (const result of await this.#follow(part, `file ${key} ${index}`)) {
          this.results.push(result);
          this.#onResult(result);
        }
      }
    } finally {
      this.#progress.end();
    }
  }

  /**
   * Creates a batch of links. If an earlier run of the command has done so, and the batch has ended, the links that failed
   * are sent once more in a further batch.
   * @param partKey the beginning of the idempotency keys
   * @param again what distinguishes the key of a further batch; batch ids are unique
   */
  async #follow(part: readonly PlacedInput[], partKey: string, again = ""): Promise<Result[]> {
    const created = await this.#create(part, `${partKey}${again}`);
    if (Array.isArray(created)) return created;
    const wasEnded = created.finishedAt !== null;
    await this.#wait(created);
    const items = await this.#items(created.id);
    const results = new Map(
      items.map((item) => [item.index, resultOf(part[item.index]?.place ?? "", item)] as const),
    );
    for (const [name, group] of wasEnded ? sentAgain(items) : []) {
      const sent = group.flatMap(({ index }) => part[index] ?? []);
      const tried = await this.#follow(sent, partKey, ` ${name} ${created.id}`);
      for (const [position, { index }] of group.entries()) {
        const result = tried[position];
        if (result) results.set(index, result);
      }
    }
    return [...results.values()];
  }

  /** The ids of the channel's tags, by type and name. They are not read if no link has a tag. */
  async #tagIds(links: readonly PlacedLink[]): Promise<(type: string, name: string) => string | undefined> {
    const { foldName } = await import("../domain/shared/text.js");
    const keyOf = (type: string, name: string) => JSON.stringify([foldName(type), foldName(name)]);
    const ids = new Map<string, string>();
    interface Page {
      readonly tags: {
        readonly nodes: readonly {
          readonly id: string;
          readonly name: string;
          readonly type: { readonly name: string };
        }[];
        readonly pageInfo: PageInfo;
      };
    }
    let after: string | null = null;
    let more = links.some(({ link }) => link.tags.length > 0);
    while (more) {
      const { tags }: Page = await this.#client.ask<Page>(
        BATCH_DOCUMENTS.tags,
        { channelId: this.#channelId, after },
        "briefly",
      );
      for (const { id, name, type } of tags.nodes) ids.set(keyOf(type.name, name), id);
      after = tags.pageInfo.endCursor;
      more = tags.pageInfo.hasNextPage;
    }
    return (type, name) => ids.get(keyOf(type, name));
  }

  /** The batch, or the results of links that the server does not accept. */
  async #create(part: readonly PlacedInput[], idempotencyKey: string): Promise<Batch | Result[]> {
    const input = { channelId: this.#channelId, idempotencyKey, links: part.map((one) => one.input) };
    const { createInviteLinks } = await this.#client.ask<{ createInviteLinks: CreateResult }>(
      BATCH_DOCUMENTS.create,
      { input },
      this.isBegun ? "long" : "briefly",
    );
    this.isBegun = true;
    return createInviteLinks.batch ?? refusalsOf(part, createInviteLinks);
  }

  async #wait(first: Batch): Promise<void> {
    let batch = first;
    for (;;) {
      this.#show(batch);
      if (batch.finishedAt !== null) return;
      await delay(LOOK_MS, undefined, { signal: this.#signal }).catch(() => {});
      this.#signal.throwIfAborted();
      const { node } = await this.#client.ask<{ node: Batch | null }>(BATCH_DOCUMENTS.look, { id: batch.id });
      if (node === null) throw new Error("The batch is not there any more, or the token may not see it.");
      batch = node;
    }
  }

  #show({ madeCount, failedCount, uncertainCount, waitingUntil }: Batch): void {
    const made = this.results.filter(({ state }) => state === "MADE").length + madeCount;
    const parts = [`${made} of ${this.total} links created`];
    if (failedCount > 0) parts.push(`${failedCount} failed`);
    if (uncertainCount > 0) parts.push(`${uncertainCount} uncertain`);
    if (waitingUntil !== null) parts.push(`Telegram asked to wait until ${waitingUntil}`);
    this.#progress.show(parts.join(", "));
  }

  async #items(id: string): Promise<Item[]> {
    interface Page {
      readonly node: {
        readonly items: { readonly nodes: readonly Item[]; readonly pageInfo: PageInfo };
      } | null;
    }
    const items: Item[] = [];
    let after: string | null = null;
    for (;;) {
      const { node }: Page = await this.#client.ask<Page>(BATCH_DOCUMENTS.items, { id, after });
      if (node === null) throw new Error("The batch is not there any more, or the token may not see it.");
      items.push(...node.items.nodes);
      if (!node.items.pageInfo.hasNextPage) return items;
      after = node.items.pageInfo.endCursor;
    }
  }
}

const resultOf = (place: string, { name, externalId, state, inviteLink, error }: Item): Result => ({
  place,
  name,
  externalId,
  state,
  url: inviteLink?.url ?? null,
  error: error?.message ?? null,
});

/** The results of a batch that was not accepted: each link names its own errors, or else the first of another link. */
function refusalsOf(part: readonly PlacedInput[], { message, fieldErrors }: CreateResult): Result[] {
  const ownErrors = new Map<number, string[]>();
  const general: string[] = [];
  for (const error of fieldErrors ?? []) {
    const [, position, field] = /^links\.(\d+)\.(.+)$/.exec(error.field) ?? [];
    if (position === undefined) general.push(`${error.field}: ${error.message}`);
    else {
      const index = Number(position);
      ownErrors.set(index, [...(ownErrors.get(index) ?? []), `${field}: ${error.message}`]);
    }
  }
  const [first] = ownErrors;
  const another = first && `its batch was refused: ${part[first[0]]?.place}: ${first[1].join(" ")}`;
  const reason = general.length > 0 ? general.join(" ") : another;
  return part.map(({ place, input: { name, externalId } }, index) => ({
    place,
    name,
    externalId,
    state: "REFUSED",
    url: null,
    error: ownErrors.get(index)?.join(" ") ?? reason ?? message ?? null,
  }));
}

/** @throws Error if the channel has no such tag */
function toInput(
  place: string,
  link: NewLink,
  idOf: (type: string, name: string) => string | undefined,
): PlacedInput["input"] {
  const { name, budget, expireDate, memberLimit, createsJoinRequest, subscriptionPrice, externalId } = link;
  const tagIds = link.tags.map((tag) => {
    const id = idOf(tag.type, tag.name);
    if (id === undefined)
      throw new Error(
        `No link was created. ${place}: the channel has no tag ${JSON.stringify(tag.name)} of the type ${JSON.stringify(tag.type)}.`,
      );
    return id;
  });
  return {
    name,
    budget,
    tagIds,
    createsJoinRequest: createsJoinRequest ?? false,
    expireDate: expireDate?.toISOString() ?? null,
    memberLimit: memberLimit ?? null,
    subscription: subscriptionPrice == null ? null : { priceStars: subscriptionPrice },
    externalId: externalId ?? null,
  };
}

const inWords = ({ place, state, error }: Result): string =>
  `${place}: ${state.toLowerCase()}${error === null ? "" : `: ${error}`}`;

const othersOf = (results: readonly Result[]): Result[] => results.filter(({ state }) => state !== "MADE");

/** Prints what became of the links, as far as it is known. */
function summarize({ results, total }: Creation): void {
  const count = (state: string) => results.filter((result) => result.state === state).length;
  const counts = {
    created: count("MADE"),
    failed: count("FAILED"),
    uncertain: count("UNCERTAIN"),
    cancelled: count("CANCELLED"),
    refused: count("REFUSED"),
    unfinished: total - results.length,
  };
  const first = othersOf(results).slice(0, SHOWN);
  const inText = Object.entries(counts).map(([state, links]) => `${links} ${state}`);
  print(
    { ...counts, firstNotCreated: first },
    [`Links: ${inText.join(", ")}`, ...first.map(inWords)].join("\n"),
  );
}

/** @throws Error if a link was not created */
function requireAll(results: readonly Result[], report: string | undefined): void {
  const others = othersOf(results);
  const [first] = others;
  if (!first) return;
  const all = report === undefined ? "--report FILE writes all of them to a file" : `all are in ${report}`;
  const advice = others.some(({ state }) => state === "UNCERTAIN")
    ? " Uncertain links are never sent again: settle them with resolveCreation."
    : "";
  throw new Error(
    `${others.length} of ${results.length} links were not created. ${inWords(first)} (${all})${advice}`,
  );
}

async function run(options: Options): Promise<void> {
  const token = process.env["INVITE_LINKS_TOKEN"]?.trim() ?? "";
  if (token === "") throw new UsageError("an API token must be in the variable INVITE_LINKS_TOKEN");
  const stopped = new AbortController();
  const stop = () =>
    stopped.abort(
      new Error(
        "Stopped. The server goes on with the links of the current batch; repeat the command to follow it and to create the rest.",
      ),
    );
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.once(name, stop);
  try {
    const { links, hash } = await readLinks(options);
    const client = new ApiClient(options.server, token, stopped.signal);
    const report = await ReportFile.open(options.report);
    const creation = new Creation(client, options.channel, links.length, stopped.signal, (result) =>
      report.add(result),
    );
    try {
      await creation.run(links, hash);
    } finally {
      if (creation.isBegun) summarize(creation);
      await report.close();
    }
    requireAll(creation.results, options.report);
  } finally {
    for (const name of signals) process.off(name, stop);
  }
}

export const createCommand = (): Command =>
  new Command("create")
    .description("Create the links of a file in Telegram, through the API of a running server.")
    .requiredOption(
      "--server <url>",
      "the address of the server, such as https://links.example.com",
      addressOption,
    )
    .requiredOption("--channel <id>", "the Telegram id of the channel of all links", chatIdOption)
    .requiredOption("--file <file>", "a file with CSV, JSON lines or a JSON array")
    .addOption(mapOption())
    .option("--report <file>", "write what became of each link to this file, as JSON lines")
    .addHelpText(
      "after",
      `
The variable INVITE_LINKS_TOKEN must hold an API token with the role EDITOR.

The fields are those of import: name, budget, expire_date, member_limit, creates_join_request, subscription_price,
external_id and tag:TYPE…; what only an existing link has, such as url, is ignored. Tags must exist already. If the
command cannot read a row or does not find a tag, it creates nothing. The links are sent in batches of up to 1,000; a batch
with a link that the server does not accept is refused, and the others are created. The server creates the links one after
another and waits where Telegram asks it to.

The command can be repeated, and continues after it was stopped: within 24 hours the same file gives the same links, and
links that failed or were cancelled are sent once more. Uncertain ones are not: an administrator settles them with
resolveCreation. An external_id keeps a link from being created twice at any time.

In a pipe the output is JSON: {"created": 2, "failed": 0, "uncertain": 0, "cancelled": 0, "refused": 0, …}.

Examples:
  $ INVITE_LINKS_TOKEN=… invite-links create --server http://127.0.0.1:4000 --channel -1001234567890 --file links.csv
  $ invite-links create --server https://links.example.com --channel -1001234567890 --file links.csv --report made.jsonl`,
    )
    .action(run);

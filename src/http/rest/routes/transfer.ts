import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { RateLimitedError, ValidationError } from "../../../domain/shared/errors.js";
import type { ImportCounts, SkippedRow } from "../../../domain/transfer/importLinks.js";
import { type ColumnMap, readColumnMap } from "../../../import-export/columnMap.js";
import { FORMATS, inChunks, readFileOfLinks } from "../../../import-export/files.js";
import { SourceError } from "../../../import-export/sourceError.js";
import { allowLongBody } from "../../lifecycle/clientErrors.js";
import { checkForm } from "../../lifecycle/requestFormat.js";
import type { OpenRequest, RestEndpoint } from "../endpoint.js";
import { answers } from "../errors.js";
import { flag, telegramId } from "../fields.js";
import { linkFilter } from "../linkFilter.js";
import { SPOOL_LIMITS, type SpoolLimits, spool } from "../spool.js";
import { EVERYTHING } from "../twins.js";

/** A streamed answer is ended if its client reads nothing for this long, in milliseconds. */
const STALL_MS = 60_000;
/** Imports at the same time: each has a file of up to 1 GiB. */
const MAX_IMPORTS = 2;
const RETRY_SECONDS = 10;
const SHOWN_SKIPPED = 10;
const MEDIA_TYPES = { csv: "text/csv", jsonl: "application/x-ndjson" } as const;
const BODIES = Object.values(MEDIA_TYPES);

const ReportShape = z
  .object({
    created: z.int(),
    updated: z.int(),
    known: z.int().meta({ description: "Links that existed already and were left unchanged." }),
    skipped: z.int(),
    channels: z.int(),
    tagTypes: z.int(),
    tags: z.int(),
    dryRun: z.boolean(),
    firstSkipped: z
      .array(
        z.object({
          place: z.string(),
          url: z.string().nullable(),
          problems: z.array(z.object({ field: z.string(), message: z.string() })),
        }),
      )
      .meta({ description: `The first ${SHOWN_SKIPPED} rows that were skipped, and why.` }),
  })
  .meta({ id: "ImportReport" });

const text = { type: "string" } as const;

/** The columns of `map`, such as budget=Cost. @throws ValidationError */
function columnsOf(mappings: readonly string[]): ColumnMap {
  try {
    return readColumnMap(mappings);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    throw new ValidationError([{ field: "map", message: error.message.replaceAll("--map", "map") }]);
  }
}

/**
 * Gives a signal that is aborted when a request has ended: its client has left, or was refused because its body broke off.
 * Node.js does not always end the reading of such a body.
 */
function endOf({ raw }: FastifyReply): AbortSignal {
  const ended = new AbortController();
  if (raw.destroyed) ended.abort();
  raw.once("close", () => ended.abort());
  return ended.signal;
}

/** Reads a whole file without storing anything. @throws ValidationError if it cannot be read to its end */
async function judge(chunks: AsyncIterable<Uint8Array>, columns: ColumnMap): Promise<void> {
  try {
    for await (const _row of readFileOfLinks(chunks, columns));
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    throw new ValidationError([{ field: "file", message: error.message.replaceAll("--map", "map") }]);
  }
}

/** /export and /import, whose files are those of the commands. */
export function addTransfer(
  endpoint: RestEndpoint,
  openRequest: OpenRequest,
  limits: SpoolLimits = SPOOL_LIMITS,
): void {
  let imports = 0;
  endpoint.decorateRequest("answerType", null);
  endpoint.removeAllContentTypeParsers();
  endpoint.addContentTypeParser(BODIES, (_request, body, done) => done(null, body));

  endpoint.route({
    method: "GET",
    url: "/export",
    schema: {
      operationId: "exportLinks",
      summary: "Export the links of a channel to a file that import can read",
      tags: ["transfer"],
      querystring: z.object({
        channel_id: telegramId("The Telegram chat id of the channel."),
        format: z.enum(["csv", "jsonl"]).default("csv").meta({ description: "The form of the file." }),
        filter: linkFilter,
        stats: flag("Whether each link has the numbers of its members, which import ignores."),
      }),
      response: {
        ...answers(200, "The file.", z.unknown().meta(text), 403, 404),
        200: {
          description: "The file, streamed: the links of one moment, the oldest first.",
          content: Object.fromEntries(BODIES.map((type) => [type, { schema: z.unknown().meta(text) }])),
        },
      },
    },
    preParsing: async (request) =>
      checkForm(request, BODIES, ["text/csv", "application/x-ndjson", "application/json"]),
    handler: async (request, reply) => {
      const { channel_id, format, filter, stats } = request.query;
      const { linkTransfer } = await openRequest(request, reply, EVERYTHING);
      const exported = await linkTransfer.openExport({
        chatId: channel_id,
        filter,
        withStats: stats,
      });
      const written = Readable.from(inChunks(FORMATS[format](exported)));
      written.once("close", () => {
        exported
          .close()
          .catch((error: Error) => reply.log.warn({ err: error }, "a database cursor could not be closed"));
      });
      reply.raw.setTimeout(STALL_MS, () => reply.raw.destroy());
      return reply
        .header("content-disposition", `attachment; filename="links.${format}"`)
        .type(`${MEDIA_TYPES[format]}; charset=utf-8`)
        .send(written);
    },
  });

  endpoint.route({
    method: "POST",
    url: "/import",
    schema: {
      operationId: "importLinks",
      summary: "Import existing links from a file; Telegram is not contacted",
      tags: ["transfer"],
      querystring: z.object({
        channel_id: telegramId(
          "The Telegram chat id of the channel of all links; left out if each row names its own.",
        ).optional(),
        update: flag("Whether links that exist already are updated, instead of left unchanged."),
        dry_run: flag("Whether everything is checked and nothing is written."),
        map: z
          .preprocess((value) => (typeof value === "string" ? [value] : value), z.array(z.string()))
          .default([])
          .meta({
            description: "FIELD=COLUMN: reads a field from a column with another name. Repeat the parameter.",
          }),
      }),
      consumes: BODIES,
      body: z.unknown().meta(text),
      response: answers(200, "What was imported.", ReportShape, 403, 408, 413, 415),
    },
    onRequest: async (request) => allowLongBody(request),
    preParsing: async (request) => checkForm(request, BODIES, ["application/json"]),
    handler: async (request, reply) => {
      const { channel_id: chatId = null, update, dry_run: dryRun, map } = request.query;
      const { linkTransfer } = await openRequest(request, reply, EVERYTHING);
      linkTransfer.requireImport(chatId);
      const columns = columnsOf(map);
      if (imports >= MAX_IMPORTS) throw new RateLimitedError(RETRY_SECONDS);
      imports += 1;
      const ended = endOf(reply);
      try {
        const body = request.body instanceof Readable ? request.body : Readable.from([]);
        const spooled = await spool(body, limits, ended);
        try {
          await judge(spooled.read(ended), columns);
          const firstSkipped: SkippedRow[] = [];
          const running = linkTransfer.import({
            chatId,
            update,
            dryRun,
            signal: ended,
            onSkipped: (row) => firstSkipped.length < SHOWN_SKIPPED && firstSkipped.push(row),
            onProgress: () => {},
          });
          await running.run(readFileOfLinks(spooled.read(ended), columns));
          const counts: ImportCounts = running.counts;
          return reply.send({
            ...counts,
            dryRun,
            firstSkipped: firstSkipped.map((row) => ({ ...row, problems: [...row.problems] })),
          });
        } finally {
          await spooled.close();
        }
      } catch (error) {
        if (reply.sent && error === ended.reason) return reply;
        throw error;
      } finally {
        imports -= 1;
      }
    },
  });
}

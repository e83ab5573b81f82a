import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { RowStream } from "../../database/cursorReader.js";
import type { NumberedPage } from "../../domain/paging/list.js";

/** How long a client may take nothing of an answer that is being read for it, in milliseconds. */
const STALL_MS = 60_000;

export interface PageRequest {
  readonly page: number;
  readonly limit: number;
}

/** What the domain takes for it. */
export const toNumbered = ({ page, limit }: PageRequest) => ({ page, size: limit < 0 ? null : limit });

async function* jsonOf<Row>(
  { page, limit }: PageRequest,
  total: number,
  reading: RowStream<Row>,
  show: (row: Row) => unknown,
): AsyncGenerator<string> {
  yield `{"page":${page},"limit":${limit},"total":${total},"items":[`;
  let separator = "";
  for (let rows = await reading.next(); rows.length > 0; rows = await reading.next()) {
    yield separator + rows.map((row) => JSON.stringify(show(row))).join(",");
    separator = ",";
  }
  yield "]}";
}

/**
 * Answers with a page. A long one is written out as it is read; whatever becomes of the client, the reading is closed:
 * when it has everything, when it leaves, and when it takes nothing any more.
 */
export async function sendPage<Row>(
  reply: FastifyReply,
  asked: PageRequest,
  found: NumberedPage<Row>,
  show: (row: Row) => unknown,
): Promise<FastifyReply> {
  if ("rows" in found) {
    const { total, rows } = found;
    return reply.send({ page: asked.page, limit: asked.limit, total, items: rows.map(show) });
  }
  const { reading } = found;
  const written = Readable.from(jsonOf(asked, found.total, reading, show));
  written.once("close", () => {
    reading.close().catch((error: Error) => reply.log.warn({ err: error }, "a reading did not end cleanly"));
  });
  reply.raw.setTimeout(STALL_MS, () => reply.raw.destroy());
  return reply.type("application/json; charset=utf-8").send(written);
}

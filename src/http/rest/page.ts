import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { RowStream } from "../../database/cursorReader.js";
import type { NumberedPage } from "../../domain/paging/list.js";

/** A streamed answer is ended if its client reads nothing for this long, in milliseconds. */
const STALL_MS = 60_000;

export interface PageRequest {
  readonly page: number;
  readonly limit: number;
}

/** The page as the domain's services take it: a null size means all rows. */
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
 * Answers with a page. A long page is streamed while it is read from the database. The cursor is closed when the client has
 * received everything, has left, or has read nothing for STALL_MS.
 */
export async function sendPage<Row>(
  reply: FastifyReply,
  pageRequest: PageRequest,
  found: NumberedPage<Row>,
  show: (row: Row) => unknown,
): Promise<FastifyReply> {
  if ("rows" in found) {
    const { total, rows } = found;
    return reply.send({ page: pageRequest.page, limit: pageRequest.limit, total, items: rows.map(show) });
  }
  const { reading } = found;
  const written = Readable.from(jsonOf(pageRequest, found.total, reading, show));
  written.once("close", () => {
    reading
      .close()
      .catch((error: Error) => reply.log.warn({ err: error }, "a database cursor could not be closed"));
  });
  reply.raw.setTimeout(STALL_MS, () => reply.raw.destroy());
  return reply.type("application/json; charset=utf-8").send(written);
}

import { expect, test } from "vitest";
import type { Database, StatementUse } from "../../../../src/database/database.js";
import { Links } from "../../../../src/domain/links/query/linkQueries.js";
import type { InviteLinkOrder } from "../../../../src/domain/links/query/order.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import type { Caller } from "../../../../src/domain/shared/caller.js";

const CALLER: Caller = { key: "admin", name: "all", role: "ADMIN", chatIds: null, telegramUserId: null };

/** The uses of the statements that read a page in an order. */
async function usesOf(orderBy: readonly InviteLinkOrder[]): Promise<(StatementUse | undefined)[]> {
  const uses: (StatementUse | undefined)[] = [];
  const query = async (_statement: unknown, use?: StatementUse) => {
    uses.push(use);
    return [];
  };
  const database = { query } as unknown as Database;
  await new Links(database, CALLER, createLoaders(database, CALLER)).page({ chatId: -1001, orderBy });
  return uses;
}

const FIELDS = ["NAME", "BUDGET", "CREATED_AT", "JOIN_COUNT", "ACTIVE_COUNT", "LAST_JOIN_AT"] as const;

test.each(FIELDS)("a page in the order of %s, which has an index, waits for no turn", async (field) => {
  expect(await usesOf([{ field, direction: "ASC" }])).toEqual(["frequent and quick"]);
  expect(await usesOf([{ field, direction: "DESC" }])).toEqual(["frequent and quick"]);
  expect(
    await usesOf([
      { field, direction: "DESC" },
      { field, direction: "ASC" },
    ]),
  ).toEqual(["frequent and quick"]);
});

test.each(FIELDS)(
  "a page ordered by %s and another field, for which all links are sorted, waits for its turn",
  async (field) => {
    for (const second of FIELDS.filter((other) => other !== field)) {
      expect(
        await usesOf([
          { field, direction: "ASC" },
          { field: second, direction: "DESC" },
        ]),
      ).toEqual([undefined]);
    }
  },
);

test("a list without a page size is read in short portions, so that the server answers other requests in between", async () => {
  const sizes: number[] = [];
  const read = async (_statements: unknown, size: number) => {
    sizes.push(size);
    return { head: { count: 0 }, rows: { next: async () => [], close: async () => {} } };
  };
  const database = { read } as unknown as Database;
  const links = new Links(database, CALLER, createLoaders(database, CALLER));
  await links.numberedPage({ chatId: -1001, page: 1, size: null });
  expect(sizes).toEqual([100]);
});

import { expect, test } from "vitest";
import type { Database } from "../../src/database/database.js";
import { Failover } from "../../src/database/failover.js";
import { failoverDatabase } from "../../src/database/failoverDatabase.js";
import { testStatement } from "../support/statement.js";

test.each([
  ["the replay of changes cancelled", { code: "40001" }],
  ["a lost session interrupted", { code: "57P01" }],
])("a read that %s is run again", async (_, failure) => {
  const failures: unknown[] = [failure, failure];
  const query = async () => {
    if (failures.length > 0) throw failures.pop();
    return [{ answer: 42 }];
  };
  const one = { query, forReader: () => one } as unknown as Database;
  const failover = new Failover({
    primary: {} as never,
    openReplica: () => ({}) as never,
    createDatabase: () => one,
    onLost() {},
    onReplica() {},
  });
  const reader = { key: "a", signal: null, refusal: () => new Error("refused") };
  expect(
    await failoverDatabase(failover).forReader(reader).query(testStatement`select 42 as answer`),
  ).toEqual([{ answer: 42 }]);
  failures.push(failure, failure, failure);
  await expect(
    failoverDatabase(failover).forReader(reader).query(testStatement`select 42 as answer`),
  ).rejects.toBe(failure);
});

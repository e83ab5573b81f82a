import { describe, expect, test } from "vitest";
import type { Database } from "../../../src/database/database.js";
import type { Domain } from "../../../src/domain/request.js";
import type { Caller } from "../../../src/domain/shared/caller.js";
import { Operations } from "../../../src/graphql/pipeline/executeOperation.js";
import type { OperationResult } from "../../../src/graphql/pipeline/operation.js";
import { AutomaticDocuments } from "../../../src/graphql/pipeline/persistedDocuments.js";
import { schema } from "../../../src/graphql/schema.js";
import { createLog } from "../../../src/log.js";

const caller: Caller = { key: "admin", name: "Test", role: "ADMIN", chatIds: null, telegramUserId: null };

/** Operations on a database that fails with a message that no client may see. */
function failingOperations() {
  const lines: { msg: string; requestId: string; err: { message: string } }[] = [];
  const log = createLog({
    level: "debug",
    format: null,
    secrets: [],
    write: (line) => lines.push(JSON.parse(line)),
  });
  const fail = async () => {
    throw new Error("relation invite_link: connection to 10.0.0.5 refused");
  };
  const database = { query: fail, forReader: () => database } as unknown as Database;
  const storageGuard: Domain["storageGuard"] = {
    requireWritable: () => {},
    recordFailure: () => {},
    trackStoring: () => {},
  };
  const domain = { database, storageGuard } as Domain;
  const operations = new Operations({
    domain,
    schema,
    suggestions: true,
    persisted: new AutomaticDocuments(),
  });
  const run = (query: string) =>
    operations.executeOperation(
      { query },
      {
        caller,
        requestId: "r-1",
        log: log.child({ requestId: "r-1" }),
        readOnly: false,
        acceptsStream: false,
        client: null,
        onEnd: () => {},
      },
    ) as Promise<OperationResult>;
  return { run, lines };
}

describe("an unexpected error", () => {
  test("an unexpected error is masked and logged once with the request id", async () => {
    const { run, lines } = failingOperations();
    const { data, errors } = await run("{ channel(telegramId: 5) { id } viewer { name } }");
    expect(data).toBe('{"channel":null,"viewer":{"name":"Test"}}');
    expect(errors).toHaveLength(1);
    expect(errors?.[0]?.toJSON()).toMatchObject({
      message: "Something went wrong on the server; the request's id leads to it in the log.",
      path: ["channel"],
      extensions: { code: "INTERNAL_SERVER_ERROR", requestId: "r-1" },
    });
    expect(JSON.stringify(errors)).not.toContain("10.0.0.5");
    expect(lines).toEqual([
      expect.objectContaining({
        level: "error",
        requestId: "r-1",
        err: expect.objectContaining({ message: expect.stringContaining("10.0.0.5") }),
      }),
    ]);
  });

  test("an unexpected error of a non-null root field nulls the whole result", async () => {
    const { run } = failingOperations();
    const { data } = await run("{ a: viewer { name } tagTypes { id } }");
    expect(data).toBe("null");
  });
});

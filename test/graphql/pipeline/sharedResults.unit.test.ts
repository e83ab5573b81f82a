import { GraphQLError } from "graphql";
import { expect, test, vi } from "vitest";
import type { Caller } from "../../../src/domain/shared/caller.js";
import type { PreparedOperation } from "../../../src/graphql/pipeline/preparedOperation.js";
import { SharedResults } from "../../../src/graphql/pipeline/sharedResults.js";

const OPERATION = {} as PreparedOperation;
const callerOf = (key: string, role: Caller["role"], chatIds: number[] | null): Caller => ({
  key,
  name: key,
  role,
  chatIds: chatIds && new Set(chatIds),
  telegramUserId: null,
});
const ADA = callerOf("token:1", "VIEWER", [-1, -2]);
const variables = (given: Record<string, unknown> = {}) => ({ given, coerced: given });

/** Whether a second subscription executes an event that a first one has just executed. */
async function executesAgain(
  second: { operation?: PreparedOperation; given?: Record<string, unknown>; caller?: Caller; event?: object },
  errors?: readonly GraphQLError[],
): Promise<boolean> {
  const results = new SharedResults();
  const event = {};
  const execute = vi.fn(async () => ({ data: "1", ...(errors && { errors }) }));
  await results.forSubscription(OPERATION, variables(), ADA)(event, execute);
  const { operation = OPERATION, given = {}, caller = ADA } = second;
  await results.forSubscription(operation, variables(given), caller)(second.event ?? event, execute);
  return execute.mock.calls.length === 2;
}

test("subscribers with the same operation, variables and rights share the result of an event", async () => {
  expect(await executesAgain({})).toBe(false);
  expect(await executesAgain({ caller: callerOf("token:2", "VIEWER", [-2, -1]) })).toBe(false);
});

test.each([
  ["event", { event: {} }],
  ["operation", { operation: {} as PreparedOperation }],
  ["variable", { given: { channelId: 1 } }],
  ["role", { caller: callerOf("token:1", "EDITOR", [-1, -2]) }],
  ["channel", { caller: callerOf("token:1", "VIEWER", [-1]) }],
  ["limit to channels", { caller: callerOf("token:1", "VIEWER", null) }],
])("a result is not shared with a subscription with another %s", async (_name, second) => {
  expect(await executesAgain(second)).toBe(true);
});

test("a result with an error is not shared, because the error names the request", async () => {
  expect(await executesAgain({}, [new GraphQLError("No.")])).toBe(true);
});

test("a result is shared for a moment only, because what it has read is outdated later", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const shared = new SharedResults().forSubscription(OPERATION, variables(), ADA);
  const event = {};
  const execute = vi.fn(async () => ({ data: "1" }));
  await shared(event, execute);
  vi.advanceTimersByTime(1000);
  await shared(event, execute);
  expect(execute).toHaveBeenCalledTimes(2);
  vi.useRealTimers();
});

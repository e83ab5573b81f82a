import { GraphQLError } from "graphql";
import { describe, expect, test, vi } from "vitest";
import type { OperationResult } from "../../../src/graphql/pipeline/operation.js";
import { ResultStream } from "../../../src/graphql/pipeline/resultStream.js";
import type { Logger } from "../../../src/log.js";

const failed = (code: string): OperationResult => ({
  errors: [new GraphQLError(code, { extensions: { code } })],
});

function streamOf(
  events: AsyncIterator<unknown>,
  resultOf: (event: unknown) => Promise<OperationResult> = async (event) => ({ data: String(event) }),
) {
  const onEnd = vi.fn();
  const error = vi.fn();
  const stream = new ResultStream({
    events,
    resultsOf: (some) => Promise.all(some.map(resultOf)),
    failureOf: () => failed("INTERNAL_SERVER_ERROR"),
    onEnd,
    log: { error } as unknown as Logger,
  });
  return { stream, onEnd, error };
}

const never = () => new Promise<never>(() => {});

describe("a stream of results", () => {
  test("a stream of results ends immediately although its source still waits for an event", async () => {
    // The generator cannot return before the promise that it awaits is settled.
    const { stream, onEnd } = streamOf(
      (async function* () {
        yield 1;
        await never();
      })(),
    );
    expect(await stream.next()).toEqual({ done: false, value: { data: "1" } });
    const pending = stream.next();
    expect(await stream.return()).toEqual({ done: true, value: undefined });
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(onEnd.mock.calls).toEqual([[[]]]);
  });

  test("a stream of results that has ended still delivers its last result to a reader", async () => {
    const { stream, onEnd } = streamOf({ next: never });
    stream.end(failed("FORBIDDEN"));
    stream.end(failed("UNAUTHENTICATED"));
    expect((await stream.next()).value).toEqual(failed("FORBIDDEN"));
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(onEnd.mock.calls).toEqual([[["FORBIDDEN"]]]);
  });

  test("a stream of results that ends drops the result of an event that is still being executed", async () => {
    let finish = (_result: OperationResult) => {};
    const { stream } = streamOf(
      { next: async () => ({ done: false, value: 1 }) },
      () => new Promise((resolve) => (finish = resolve)),
    );
    const pending = stream.next();
    await Promise.resolve();
    stream.end(failed("UNAUTHENTICATED"));
    finish({ data: "1" });
    expect((await pending).value).toEqual(failed("UNAUTHENTICATED"));
    expect((await stream.next()).done).toBe(true);
  });

  test("a stream of results logs an error of its source's return and ends", async () => {
    const { stream, onEnd, error } = streamOf({
      next: never,
      return: async () => {
        throw new Error("cannot close");
      },
    });
    stream.end();
    await expect.poll(() => error.mock.calls.length).toBe(1);
    expect(onEnd).toHaveBeenCalledTimes(1);
  });

  test("a stream of results reports each error code of its results once when it ends", async () => {
    const { stream, onEnd } = streamOf(
      (async function* () {
        yield* ["A", "B", "A"];
      })(),
      async (code) => failed(String(code)),
    );
    for await (const _result of stream);
    expect(onEnd.mock.calls).toEqual([[["A", "B"]]]);
  });
});

import { afterEach, describe, expect, test, vi } from "vitest";
import { FairShare, listShareOf, type Reader, shareOf } from "../../src/database/fairShare.js";

class Refused extends Error {}

const readerOf = (key: string, client: Reader["client"] = null): Reader => ({
  key,
  client,
  refusal: () => new Refused("asked for too much"),
});

/** Reads that begin when the share allows it and end when the test ends them. */
function readsOf(share: FairShare) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const read = (reader: Reader, name: string): Promise<string> =>
    share.run(reader, () => {
      begun.push(name);
      return new Promise((resolve) => ends.set(name, () => resolve(name)));
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    // A waiting read begins after the ended read has resolved.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, read, end };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a fair share", () => {
  test("is half of the sessions, a quarter for one reader, and at least one", () => {
    expect([1, 2, 3, 5, 6, 16].map(shareOf)).toEqual([
      { all: 1, ofOne: 1 },
      { all: 1, ofOne: 1 },
      { all: 1, ofOne: 1 },
      { all: 2, ofOne: 1 },
      { all: 3, ofOne: 2 },
      { all: 8, ofOne: 4 },
    ]);
  });

  test("of long lists is at most four sessions and leaves one for writes beside all costly reads", () => {
    for (let sessions = 3; sessions <= 40; sessions += 1) {
      const lent = listShareOf(sessions).all;
      expect(lent + shareOf(sessions - lent).all).toBeLessThan(sessions);
    }
    expect(listShareOf(6)).toEqual({ all: 4, ofOne: 2 });
  });

  test("lets another reader begin at once while one uses up its share", async () => {
    const { begun, read, end } = readsOf(new FairShare(() => ({ all: 3, ofOne: 2 })));
    const [a, b] = [readerOf("a"), readerOf("b")];
    const reads = ["a1", "a2", "a3", "a4"].map((name) => read(a, name));
    expect(begun).toEqual(["a1", "a2"]);
    reads.push(read(b, "b1"));
    expect(begun).toEqual(["a1", "a2", "b1"]);
    for (const name of ["a2", "b1", "a1", "a3", "a4"]) await end(name);
    expect(await Promise.all(reads)).toEqual(["a1", "a2", "a3", "a4", "b1"]);
    expect(begun).toEqual(["a1", "a2", "b1", "a3", "a4"]);
  });

  test("serves readers in turn, and one reader's reads in their order", async () => {
    const { begun, read, end } = readsOf(new FairShare(() => ({ all: 1, ofOne: 1 })));
    const [a, b, c] = [readerOf("a"), readerOf("b"), readerOf("c")];
    const reads = ["a1", "a2", "a3", "a4"].map((name) => read(a, name));
    reads.push(read(b, "b1"), read(b, "b2"), read(c, "c1"));
    for (const name of ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]) await end(name);
    await Promise.all(reads);
    expect(begun).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
  });

  test("is freed after a failed read", async () => {
    const share = new FairShare(() => ({ all: 1, ofOne: 1 }));
    const a = readerOf("a");
    const failed = share.run(a, async () => {
      throw new Error("broken");
    });
    const next = share.run(a, async () => "next");
    await expect(failed).rejects.toThrow("broken");
    expect(await next).toBe("next");
  });

  test("drops the waiting reads of a client that has left when their turn comes", async () => {
    const share = new FairShare(() => ({ all: 1, ofOne: 1 }));
    const { begun, read, end } = readsOf(share);
    const client = { hasLeft: false };
    const a = readerOf("a", client);
    const reads = [read(a, "a1"), read(readerOf("a"), "other a"), read(readerOf("b"), "b1")];
    const dropped = Promise.allSettled([read(a, "a2"), read(a, "a3")]);
    client.hasLeft = true;
    for (const name of ["a1", "b1", "other a"]) await end(name);
    const refused = { status: "rejected", reason: expect.any(Refused) };
    expect(await dropped).toEqual([refused, refused]);
    expect(await Promise.all(reads)).toEqual(["a1", "other a", "b1"]);
    expect([begun, share.waiting]).toEqual([["a1", "b1", "other a"], 0]);
  });

  test("drops the waiting reads of a client that has left while no turn comes", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    const share = new FairShare(() => ({ all: 1, ofOne: 1 }), 10_000);
    const { begun, read, end } = readsOf(share);
    const client = { hasLeft: false };
    const first = read(readerOf("a"), "a1");
    const dropped = read(readerOf("a", client), "a2");
    const waiting = read(readerOf("a"), "a3");
    client.hasLeft = true;
    vi.advanceTimersByTime(1000);
    await expect(dropped).rejects.toThrow(Refused);
    expect(share.waiting).toBe(1);
    for (const name of ["a1", "a3"]) await end(name);
    await Promise.all([first, waiting]);
    expect(begun).toEqual(["a1", "a3"]);
  });

  test("that has grown begins waiting reads, though no read ends", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    let all = 1;
    const { begun, read, end } = readsOf(new FairShare(() => ({ all, ofOne: all }), 10_000));
    const reads = ["a1", "a2", "a3"].map((name) => read(readerOf("a"), name));
    all = 2;
    vi.advanceTimersByTime(1000);
    await end("nothing");
    expect(begun).toEqual(["a1", "a2"]);
    for (const name of ["a1", "a2", "a3"]) await end(name);
    expect(await Promise.all(reads)).toEqual(["a1", "a2", "a3"]);
  });

  test("refuses a read that waited too long with the reader's error", async () => {
    const share = new FairShare(() => ({ all: 1, ofOne: 1 }), 20);
    const { begun, read, end } = readsOf(share);
    const first = read(readerOf("a"), "a1");
    await expect(read(readerOf("a"), "a2")).rejects.toThrow("asked for too much");
    expect([begun, share.waiting]).toEqual([["a1"], 0]);
    await end("a1");
    expect(await first).toBe("a1");
  });
});

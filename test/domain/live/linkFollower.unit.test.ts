import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { InviteLink } from "../../../src/domain/links/inviteLink.js";
import type { LinkWatcher } from "../../../src/domain/live/linkFeed.js";
import { type FollowedFeed, LinkFollower } from "../../../src/domain/live/linkFollower.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const CHAT = -1001;
const PLACE = { sequence: 0, eventId: null };
const SINCE = { transaction: 7, at: 1000 };

/** A feed whose reads take a time, and that can tell of changes. */
function feedOf({ readMs = 0, channels = ["first"] }: { readMs?: number; channels?: string[] }) {
  const watchers = new Map<string, LinkWatcher>();
  const asked: unknown[] = [];
  const feed: FollowedFeed = {
    async findChannel(chatId) {
      const [channelId] = channels;
      if (channelId === undefined) return null;
      return { channelId, chatId, last: PLACE, nearest: PLACE, beginning: PLACE };
    },
    async watch(channelId, watcher) {
      watchers.set(channelId, watcher);
      return () => watchers.delete(channelId);
    },
    async now() {
      return SINCE;
    },
    async changedSince(channelId, since) {
      asked.push([channelId, since]);
      return ["missed"];
    },
    async readLink(id) {
      await new Promise((resolve) => setTimeout(resolve, readMs));
      return { id, chatId: CHAT } as InviteLink;
    },
  };
  return { feed, asked, channels, of: (channelId: string) => watchers.get(channelId) };
}

test("a link that changes again is sent a second after it was sent, however long it took to read", async () => {
  const { feed, of } = feedOf({ readMs: 900 });
  const follower = await new LinkFollower(feed, CHAT, () => {}).start();
  const sent: number[] = [];
  const began = performance.now();
  const following = (async () => {
    for await (const { id } of follower) {
      if (id === "link") sent.push(performance.now() - began);
      if (sent.length === 2) break;
    }
  })();
  of("first")?.onChanged(["link"]);
  await vi.advanceTimersByTimeAsync(901);
  expect(sent).toEqual([900]);
  of("first")?.onChanged(["link"]);
  await vi.advanceTimersByTimeAsync(2000);
  await following;
  expect(sent).toEqual([900, 2800]);
});

test("a link that was read and waits for its reader counts as sent when the reader takes it", async () => {
  const { feed, of } = feedOf({});
  const follower = await new LinkFollower(feed, CHAT, () => {}).start();
  of("first")?.onChanged(["one", "other"]);
  const first = follower.next();
  await vi.advanceTimersByTimeAsync(0);
  expect((await first).value).toMatchObject({ id: "one" });
  await vi.advanceTimersByTimeAsync(5000);
  expect(follower.takeReady(10)).toMatchObject([{ id: "other" }]);
  of("first")?.onChanged(["other"]);
  let isSent = false;
  const again = follower.next().then(({ value }) => {
    isSent = true;
    return value;
  });
  await vi.advanceTimersByTimeAsync(990);
  expect(isSent).toBe(false);
  await vi.advanceTimersByTimeAsync(20);
  expect(await again).toMatchObject({ id: "other" });
});

test("when two channels are merged, what changed in the remaining one since the last read is sent", async () => {
  const { feed, asked, channels, of } = feedOf({});
  const follower = await new LinkFollower(feed, CHAT, () => {}).start();
  const next = follower.next();
  channels[0] = "second";
  of("first")?.onGone(SINCE);
  await vi.advanceTimersByTimeAsync(0);
  expect((await next).value).toMatchObject({ id: "missed" });
  expect(asked).toEqual([["second", SINCE]]);
  expect([of("first"), of("second")]).toEqual([undefined, expect.anything()]);
});

test("when a chat becomes known, what has changed in its channel since the subscription began is sent", async () => {
  const { feed, asked, channels } = feedOf({ channels: [] });
  const follower = await new LinkFollower(feed, CHAT, () => {}).start();
  const next = follower.next();
  await vi.advanceTimersByTimeAsync(500);
  channels.push("first");
  await vi.advanceTimersByTimeAsync(1000);
  expect((await next).value).toMatchObject({ id: "missed" });
  expect(asked).toEqual([["first", SINCE]]);
});

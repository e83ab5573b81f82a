import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, GROUP, startTestServer, type TestServer, YOUTUBE } from "../../support/server.js";

const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) {
    __typename
    ... on CreateInviteLinkSuccess { inviteLink { id url name createdAt } }
    ... on TelegramUnavailableError { outcomeUnknown }
    ... on UserError { message }
  }
}`;
const LIST = `{ uncertainCreations {
  id name budget idempotencyKey reason createdAt channel { telegramId title }
} }`;
const RESOLVE = `mutation ($input: ResolveCreationInput!) {
  resolveCreation(input: $input) {
    __typename
    ... on ResolveCreationSuccess { inviteLink {
      id url name budget createsJoinRequest expireDate memberLimit creatorId isBotCreated createdAt channelId
      subscription { priceStars } tags { name }
    } }
    ... on UserError { code message }
    ... on ValidationError { fieldErrors { field } }
  }
}`;
const NODE = `query ($id: ID!) { node(id: $id) { __typename ... on UncertainCreation { name } } }`;
const LOST = { __typename: "TelegramUnavailableError", outcomeUnknown: true };

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ telegramTimeoutMs: 5000 });
});
afterAll(() => server.stop());
afterEach(() => server.sandbox.control.clearFaults());

let count = 0;
const fresh = () => {
  count += 1;
  return `Link ${count}`;
};
const create = async (input: object, token = server.token) =>
  (await server.ask(CREATE, { input: { channelId: CHANNEL, name: "n", ...input } }, token)).data
    .createInviteLink;
const resolve = async (input: object, token = server.token) =>
  (await server.ask(RESOLVE, { input }, token)).data.resolveCreation;
const list = async (token = server.token) =>
  (await server.ask(LIST, {}, token)).data.uncertainCreations as {
    id: string;
    name: string;
    createdAt: string;
  }[];
const made = (name: string, chatId = CHANNEL) =>
  server.sandbox.control.links(chatId).filter((link) => link.name === name);

/** Lets Telegram's answer to a creation be lost. @returns it, as listed. */
async function lose(
  input: { name: string; channelId?: number; [argument: string]: unknown },
  { effect = "after", token = server.token }: { effect?: "before" | "after"; token?: string } = {},
) {
  const { control } = server.sandbox;
  const method = "subscription" in input ? "createChatSubscriptionInviteLink" : "createChatInviteLink";
  control.fail({ kind: "cut", effect }, { method });
  expect(await create(input, token)).toMatchObject(LOST);
  const listed = (await list()).find(({ name }) => name === input.name);
  if (!listed) throw new Error(`${input.name} is not listed.`);
  return { ...listed, url: made(input.name, input.channelId)[0]?.url ?? null };
}

describe("who may", () => {
  test.each(["VIEWER", "EDITOR"])("not one with the role %s", async (role) => {
    const token = await server.makeToken({ role });
    const { id, url } = await lose({ name: fresh() });
    const { data, errors } = await server.ask(LIST, {}, token);
    expect([data, errors?.[0]?.extensions.code]).toEqual([null, "FORBIDDEN"]);
    expect(await resolve({ id, url }, token)).toMatchObject({ __typename: "ForbiddenError" });
    expect((await server.ask(NODE, { id }, token)).data.node).toBeNull();
    expect((await server.ask(NODE, { id })).data.node.__typename).toBe("UncertainCreation");
  });

  test("an administrator of some channels, for those alone", async () => {
    const token = await server.makeToken({ role: "ADMIN", channelIds: [GROUP] });
    const [own, others] = [await lose({ name: fresh(), channelId: GROUP }), await lose({ name: fresh() })];
    expect((await list(token)).map(({ name }) => name)).toEqual([own.name]);
    expect((await server.ask(NODE, { id: others.id }, token)).data.node).toBeNull();
    for (const answer of [{ url: others.url }, { notMade: true }]) {
      expect((await resolve({ id: others.id, ...answer }, token)).__typename).toBe("NotFoundError");
    }
    expect(await resolve({ id: own.id, url: own.url }, token)).toMatchObject({
      inviteLink: { url: own.url },
    });
    expect(await list(token)).toEqual([]);
  });
});

describe("what is listed", () => {
  test("everything that helps to find the link in Telegram, the oldest first", async () => {
    const [name, idempotencyKey] = [fresh(), fresh()];
    server.sandbox.control.fail({ kind: "cut", effect: "before" }, { method: "createChatInviteLink" });
    expect(await create({ name: ` ${name}\t`, budget: 7.5, idempotencyKey })).toMatchObject(LOST);
    expect(await list()).toContainEqual({
      id: expect.any(String),
      name,
      budget: "7.50",
      idempotencyKey,
      reason: expect.any(String),
      createdAt: expect.any(String),
      channel: { telegramId: CHANNEL, title: expect.any(String) },
    });
    await lose({ name: fresh() });
    const ids = (await list()).map(({ id }) => Buffer.from(id, "base64").toString());
    expect(ids).toEqual([...ids].sort());
  });

  test("those that were asked for without a key, too", async () => {
    const creation = await lose({ name: fresh() });
    expect(creation).toMatchObject({ idempotencyKey: null });
    expect(await resolve({ id: creation.id, notMade: true })).toEqual({
      __typename: "ResolveCreationSuccess",
      inviteLink: null,
    });
  });

  test("nothing that failed for certain, or was made", async () => {
    const [failed, fine] = [fresh(), fresh()];
    const nope = { kind: "error", error_code: 400, description: "Bad Request: nope" } as const;
    server.sandbox.control.fail(nope, { method: "createChatInviteLink" });
    await create({ name: failed });
    await create({ name: fine });
    const names = (await list()).map(({ name }) => name);
    expect([names.includes(failed), names.includes(fine)]).toEqual([false, false]);
  });
});

describe("what is stored when the link was found", () => {
  test("all that was asked for, as it was asked for, with the key that now gives it", async () => {
    const token = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL], telegramUserId: 31_337 });
    const input = {
      name: fresh(),
      budget: "12.30",
      memberLimit: 5,
      expireDate: new Date(Math.ceil(Date.now() / 1000) * 1000 + 60_000).toISOString(),
      tagIds: [YOUTUBE],
      idempotencyKey: fresh(),
    };
    const creation = (await lose(input, { token })) as Awaited<ReturnType<typeof lose>> & {
      createdAt: string;
    };
    const { inviteLink } = await resolve({ id: creation.id, url: creation.url });
    expect(inviteLink).toEqual({
      id: expect.any(String),
      url: creation.url,
      name: input.name,
      budget: "12.30",
      createsJoinRequest: false,
      expireDate: input.expireDate,
      memberLimit: 5,
      creatorId: 31_337,
      isBotCreated: true,
      createdAt: creation.createdAt,
      channelId: CHANNEL,
      subscription: null,
      tags: [{ name: "YouTube" }],
    });
    const again = await create(input, token);
    expect(again.inviteLink).toMatchObject({ id: inviteLink.id, url: creation.url });
    expect(made(input.name)).toHaveLength(1);
    expect((await create({ ...input, name: "Other" }, token)).__typename).toBe("IdempotencyConflictError");
    expect((await server.ask(NODE, { id: creation.id })).data.node).toBeNull();
    expect((await list()).map(({ id }) => id)).not.toContain(creation.id);
  });

  test("a link that members pay for", async () => {
    const { id, url } = await lose({ name: fresh(), subscription: { priceStars: 7 } });
    expect((await resolve({ id, url })).inviteLink).toMatchObject({ url, subscription: { priceStars: 7 } });
  });

  test("its address in Telegram's own form, however it was written", async () => {
    const forms = [
      (hash: string) => ` https://t.me/+${hash}/ `,
      (hash: string) => `HTTP://T.me/joinchat/${hash}`,
      (hash: string) => `https://telegram.me/+${hash}`,
    ];
    for (const form of forms) {
      const { id, url } = await lose({ name: fresh() });
      const { inviteLink } = await resolve({ id, url: form(url?.slice("https://t.me/+".length) ?? "") });
      expect(inviteLink.url).toBe(url);
    }
  });

  test("in the chat's channel, though the chat has got another id meanwhile", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "group", title: "Growing" });
    const token = await server.makeToken({ role: "ADMIN", channelIds: [chatId] });
    const [name, key] = [fresh(), fresh()];
    const { id, url } = await lose({ name, channelId: chatId, idempotencyKey: key }, { token });
    const newId = control.upgrade(chatId);
    expect((await create({ channelId: chatId, name: fresh() }, token)).__typename).toBe(
      "CreateInviteLinkSuccess",
    );
    expect(await list(token)).toMatchObject([{ name, channel: { telegramId: newId } }]);
    expect((await resolve({ id, url }, token)).inviteLink).toMatchObject({ url, channelId: newId });
    const again = await create({ channelId: chatId, name, idempotencyKey: key }, token);
    expect(again.inviteLink.url).toBe(url);
  });
});

describe("what is refused", () => {
  const fields = ({ fieldErrors }: { fieldErrors: { field: string }[] }) =>
    fieldErrors.map(({ field }) => field);

  test("both answers, none, an address that is no invite link, and an id that is none", async () => {
    const { id, url } = await lose({ name: fresh() });
    expect(fields(await resolve({ id, url, notMade: true }))).toEqual(["notMade"]);
    expect(fields(await resolve({ id }))).toEqual(["url"]);
    expect(fields(await resolve({ id, url: null, notMade: false }))).toEqual(["url"]);
    for (const wrong of [
      "https://t.me/durov",
      "https://evil.example/+AbCdEf0123456789",
      "https://t.me.evil.example/+AbCdEf0123456789",
      "javascript:alert(1)",
      "https://t.me/+",
      `https://t.me/+${"A".repeat(3000)}`,
      "https://t.me/+AbCdEf\u0000",
    ]) {
      expect([wrong, fields(await resolve({ id, url: wrong }))]).toEqual([wrong, ["url"]]);
    }
    expect(fields(await resolve({ id: "?", notMade: true, url }))).toEqual(["id", "notMade"]);
    const unparsed = await server.ask(RESOLVE, { input: { id, url: "no address" } });
    expect(unparsed.errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    const channel = (await server.ask(`{ channel(telegramId: ${CHANNEL}) { id } }`)).data.channel.id;
    expect(fields(await resolve({ id: channel, notMade: true }))).toEqual(["id"]);
    expect((await list()).map((creation) => creation.id)).toContain(id);
  });

  test("a link that is known already, which keeps all it has", async () => {
    const { id } = await lose({ name: fresh(), budget: 99, tagIds: [YOUTUBE] });
    const read = async () => {
      const { data } = await server.ask(
        `{ here: inviteLinks(channelId: ${CHANNEL}, first: 100) { nodes { id url name budget updatedAt tags { name } } }
           there: inviteLinks(channelId: ${GROUP}, first: 1) { nodes { id url name budget updatedAt } } }`,
      );
      return data;
    };
    const other = (await create({ name: fresh(), budget: 1 })).inviteLink.url as string;
    const before = await read();
    // Made by another creation, there from the beginning, and of another channel.
    const known = [other, before.here.nodes.at(-1).url, before.there.nodes[0].url];
    expect(new Set(known).size).toBe(3);
    for (const url of known) {
      const answer = await resolve({ id, url });
      expect([url, answer.__typename]).toEqual([url, "ValidationError"]);
      expect(fields(answer)).toEqual(["url"]);
    }
    expect(await read()).toEqual(before);
    expect((await list()).map((creation) => creation.id)).toContain(id);
  });

  test("resolving twice, the one way or the other, and of two at once one", async () => {
    const one = await lose({ name: fresh() });
    expect((await resolve({ id: one.id, url: one.url })).__typename).toBe("ResolveCreationSuccess");
    for (const answer of [{ url: one.url }, { notMade: true }]) {
      expect((await resolve({ id: one.id, ...answer })).__typename).toBe("NotFoundError");
    }
    for (const [first, second] of [
      ["url", "url"],
      ["url", "notMade"],
      ["notMade", "notMade"],
    ]) {
      const { id, url, name } = await lose({ name: fresh() });
      const answer = (kind: string | undefined) => (kind === "url" ? { id, url } : { id, notMade: true });
      const answers = await Promise.all([resolve(answer(first)), resolve(answer(second))]);
      expect([name, answers.map(({ __typename }) => __typename).sort()]).toEqual([
        name,
        ["NotFoundError", "ResolveCreationSuccess"],
      ]);
    }
    const nobodys = { id: "01991000-0000-7000-8000-00000000ffff", notMade: true };
    expect((await resolve(nobodys)).__typename).toBe("NotFoundError");
  });
});

describe("its key", () => {
  test("says that nobody knows for as long as that is so, in parallel too, and then gives the one link", async () => {
    const input = { name: fresh(), idempotencyKey: fresh() };
    const { id, url } = await lose(input);
    const during = await Promise.all(Array.from({ length: 10 }, () => create(input)));
    for (const answer of during) expect(answer).toMatchObject(LOST);
    const [resolution, ...meanwhile] = await Promise.all([
      resolve({ id, url }),
      ...Array.from({ length: 10 }, () => create(input)),
    ]);
    for (const answer of meanwhile) {
      if (answer.inviteLink) expect(answer.inviteLink.id).toBe(resolution.inviteLink.id);
      else expect(answer).toMatchObject(LOST);
    }
    expect((await create(input)).inviteLink.id).toBe(resolution.inviteLink.id);
    expect(made(input.name)).toHaveLength(1);
  });

  test("is free when no link was made, for one request of twenty", async () => {
    const input = { name: fresh(), idempotencyKey: fresh() };
    const { id } = await lose(input, { effect: "before" });
    const resolution = resolve({ id, notMade: true });
    const meanwhile = await Promise.all(Array.from({ length: 10 }, () => create(input)));
    await resolution;
    const after = await Promise.all(Array.from({ length: 20 }, () => create(input)));
    const links = [...meanwhile, ...after].flatMap(({ inviteLink }) => (inviteLink ? [inviteLink.id] : []));
    expect([new Set(links).size, after.every(({ inviteLink }) => inviteLink)]).toEqual([1, true]);
    expect(made(input.name)).toHaveLength(1);
  });

  test("is another one for another caller", async () => {
    const token = await server.makeToken({ role: "EDITOR" });
    const input = { name: fresh(), idempotencyKey: fresh() };
    const { id } = await lose(input, { effect: "before" });
    const theirs = await create(input, token);
    expect(theirs.__typename).toBe("CreateInviteLinkSuccess");
    expect(await create(input)).toMatchObject(LOST);
    // Theirs is not the outcome of ours.
    expect((await resolve({ id, url: theirs.inviteLink.url })).__typename).toBe("ValidationError");
    await resolve({ id, notMade: true });
    expect((await create(input)).inviteLink.id).not.toBe(theirs.inviteLink.id);
    expect((await create(input, token)).inviteLink.id).toBe(theirs.inviteLink.id);
  });

  test.each([
    ["of 255 characters beyond the BMP", "🔑".repeat(255)],
    ["of quotes and backslashes", `'"\\$1;--%_`],
    ["of blanks", " \t\n "],
    ["of marks that change direction", "\u202e\u200d\ufeff"],
  ])("may be %s", async (_what, idempotencyKey) => {
    const input = { name: fresh(), idempotencyKey };
    const { id, url } = await lose(input);
    expect(await list()).toContainEqual(expect.objectContaining({ id, idempotencyKey }));
    expect(await create(input)).toMatchObject(LOST);
    await resolve({ id, url });
    expect((await create(input)).inviteLink.url).toBe(url);
  });

  test("compares as it stands, whatever normalisation would make of it", async () => {
    const input = { name: fresh(), idempotencyKey: "A\u030a" };
    const { inviteLink } = await create(input);
    expect((await create({ ...input, idempotencyKey: "\u00c5" })).inviteLink.id).not.toBe(inviteLink.id);
  });

  test.each([
    ["empty", ""],
    ["with NUL in it", "\0"],
    ["half a character", "\ud800"],
    ["of 256 characters", "k".repeat(256)],
    ["of 256 characters beyond the BMP", "🔑".repeat(256)],
  ])("may not be %s", async (_what, idempotencyKey) => {
    const name = fresh();
    expect((await create({ name, idempotencyKey })).__typename).toBe("ValidationError");
    expect(made(name)).toEqual([]);
  });

  test("freed by a definite failure, is used by one of twenty requests at once", async () => {
    const input = { name: fresh(), idempotencyKey: fresh() };
    const nope = { kind: "error", error_code: 400, description: "Bad Request: nope" } as const;
    server.sandbox.control.fail(nope, { method: "createChatInviteLink" });
    const failed = create(input);
    const together = await Promise.all(Array.from({ length: 20 }, () => create(input)));
    const refused = [await failed, ...together].filter(({ inviteLink }) => !inviteLink);
    expect(refused.map(({ __typename }) => __typename)).toEqual(["TelegramRejectedError"]);
    expect(new Set(together.flatMap(({ inviteLink }) => inviteLink?.id ?? [])).size).toBe(1);
    expect(made(input.name)).toHaveLength(1);
  });
});

test("a client that goes away at any moment leaves a link that its key gives, or none", async () => {
  for (const wait of [0, 1, 2, 4, 8, 16, 32, 64]) {
    const input = { channelId: CHANNEL, name: fresh(), idempotencyKey: fresh() };
    const gone = new AbortController();
    const asking = fetch(server.url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${server.token}` },
      body: JSON.stringify({ query: CREATE, variables: { input } }),
      signal: gone.signal,
    }).catch(() => null);
    await delay(wait);
    gone.abort();
    await asking;
    const { inviteLink } = await create(input);
    expect(made(input.name).map(({ url }) => url)).toEqual([inviteLink.url]);
  }
});

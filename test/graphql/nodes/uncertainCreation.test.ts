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
const uniqueText = () => {
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
const linksInTelegram = (name: string, chatId = CHANNEL) =>
  server.sandbox.control.links(chatId).filter((link) => link.name === name);

/**
 * Makes an uncertain creation by losing Telegram's answer. Returns the creation as listed, with the address of the link in
 * Telegram, or null if Telegram created no link.
 */
async function createUncertain(
  input: { name: string; channelId?: number; [argument: string]: unknown },
  { effect = "after", token = server.token }: { effect?: "before" | "after"; token?: string } = {},
) {
  const { control } = server.sandbox;
  const method = "subscription" in input ? "createChatSubscriptionInviteLink" : "createChatInviteLink";
  control.fail({ kind: "cut", effect }, { method });
  expect(await create(input, token)).toMatchObject(LOST);
  const listed = (await list()).find(({ name }) => name === input.name);
  if (!listed) throw new Error(`${input.name} is not listed.`);
  return { ...listed, url: linksInTelegram(input.name, input.channelId)[0]?.url ?? null };
}

describe("the right to settle uncertain creations", () => {
  test.each(["VIEWER", "EDITOR"])(
    "the role %s can neither list nor settle uncertain creations",
    async (role) => {
      const token = await server.makeToken({ role });
      const { id, url } = await createUncertain({ name: uniqueText() });
      const { data, errors } = await server.ask(LIST, {}, token);
      expect([data, errors?.[0]?.extensions.code]).toEqual([null, "FORBIDDEN"]);
      expect(await resolve({ id, url }, token)).toMatchObject({ __typename: "ForbiddenError" });
      expect((await server.ask(NODE, { id }, token)).data.node).toBeNull();
      expect((await server.ask(NODE, { id })).data.node.__typename).toBe("UncertainCreation");
    },
  );

  test("an administrator limited to some channels lists and settles only the uncertain creations of these channels", async () => {
    const token = await server.makeToken({ role: "ADMIN", channelIds: [GROUP] });
    const [own, others] = [
      await createUncertain({ name: uniqueText(), channelId: GROUP }),
      await createUncertain({ name: uniqueText() }),
    ];
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

describe("the list of uncertain creations", () => {
  test("an uncertain creation is listed with its arguments, the oldest creation first", async () => {
    const [name, idempotencyKey] = [uniqueText(), uniqueText()];
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
    await createUncertain({ name: uniqueText() });
    const ids = (await list()).map(({ id }) => Buffer.from(id, "base64").toString());
    expect(ids).toEqual([...ids].sort());
  });

  test("an uncertain creation without an idempotency key is listed and can be settled", async () => {
    const creation = await createUncertain({ name: uniqueText() });
    expect(creation).toMatchObject({ idempotencyKey: null });
    expect(await resolve({ id: creation.id, notMade: true })).toEqual({
      __typename: "ResolveCreationSuccess",
      inviteLink: null,
    });
  });

  test("failed and successful creations are not listed as uncertain", async () => {
    const [failed, fine] = [uniqueText(), uniqueText()];
    const nope = { kind: "error", error_code: 400, description: "Bad Request: nope" } as const;
    server.sandbox.control.fail(nope, { method: "createChatInviteLink" });
    await create({ name: failed });
    await create({ name: fine });
    const names = (await list()).map(({ name }) => name);
    expect([names.includes(failed), names.includes(fine)]).toEqual([false, false]);
  });
});

describe("an uncertain creation whose link was found", () => {
  test("settling an uncertain creation with its address stores the requested link, which its idempotency key then returns", async () => {
    const token = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL], telegramUserId: 31_337 });
    const input = {
      name: uniqueText(),
      budget: "12.30",
      memberLimit: 5,
      expireDate: new Date(Math.ceil(Date.now() / 1000) * 1000 + 60_000).toISOString(),
      tagIds: [YOUTUBE],
      idempotencyKey: uniqueText(),
    };
    const creation = (await createUncertain(input, { token })) as Awaited<
      ReturnType<typeof createUncertain>
    > & {
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
    expect(linksInTelegram(input.name)).toHaveLength(1);
    expect((await create({ ...input, name: "Other" }, token)).__typename).toBe("IdempotencyConflictError");
    expect((await server.ask(NODE, { id: creation.id })).data.node).toBeNull();
    expect((await list()).map(({ id }) => id)).not.toContain(creation.id);
  });

  test("an uncertain creation of a subscription link is settled with its price", async () => {
    const { id, url } = await createUncertain({ name: uniqueText(), subscription: { priceStars: 7 } });
    expect((await resolve({ id, url })).inviteLink).toMatchObject({ url, subscription: { priceStars: 7 } });
  });

  test("the address that settles an uncertain creation is stored in Telegram's own form", async () => {
    const forms = [
      (hash: string) => ` https://t.me/+${hash}/ `,
      (hash: string) => `HTTP://T.me/joinchat/${hash}`,
      (hash: string) => `https://telegram.me/+${hash}`,
    ];
    for (const form of forms) {
      const { id, url } = await createUncertain({ name: uniqueText() });
      const { inviteLink } = await resolve({ id, url: form(url?.slice("https://t.me/+".length) ?? "") });
      expect(inviteLink.url).toBe(url);
    }
  });

  test("an uncertain creation can be settled after a chat migration", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "group", title: "Growing" });
    const token = await server.makeToken({ role: "ADMIN", channelIds: [chatId] });
    const [name, key] = [uniqueText(), uniqueText()];
    const { id, url } = await createUncertain({ name, channelId: chatId, idempotencyKey: key }, { token });
    const newId = control.upgrade(chatId);
    expect((await create({ channelId: chatId, name: uniqueText() }, token)).__typename).toBe(
      "CreateInviteLinkSuccess",
    );
    expect(await list(token)).toMatchObject([{ name, channel: { telegramId: newId } }]);
    expect((await resolve({ id, url }, token)).inviteLink).toMatchObject({ url, channelId: newId });
    const again = await create({ channelId: chatId, name, idempotencyKey: key }, token);
    expect(again.inviteLink.url).toBe(url);
  });
});

describe("refused settlements of uncertain creations", () => {
  const fields = ({ fieldErrors }: { fieldErrors: { field: string }[] }) =>
    fieldErrors.map(({ field }) => field);

  test("resolveCreation refuses two outcomes, no outcome, an address that is not an invite link, and an invalid id", async () => {
    const { id, url } = await createUncertain({ name: uniqueText() });
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

  test("resolveCreation refuses the address of a stored link and leaves that link unchanged", async () => {
    const { id } = await createUncertain({ name: uniqueText(), budget: 99, tagIds: [YOUTUBE] });
    const read = async () => {
      const { data } = await server.ask(
        `{ here: inviteLinks(channelId: ${CHANNEL}, first: 100) { nodes { id url name budget updatedAt tags { name } } }
           there: inviteLinks(channelId: ${GROUP}, first: 1) { nodes { id url name budget updatedAt } } }`,
      );
      return data;
    };
    const other = (await create({ name: uniqueText(), budget: 1 })).inviteLink.url as string;
    const before = await read();
    // The links of another creation, of the sample data, and of another channel.
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

  test("an uncertain creation can be settled once, also by concurrent requests", async () => {
    const one = await createUncertain({ name: uniqueText() });
    expect((await resolve({ id: one.id, url: one.url })).__typename).toBe("ResolveCreationSuccess");
    for (const answer of [{ url: one.url }, { notMade: true }]) {
      expect((await resolve({ id: one.id, ...answer })).__typename).toBe("NotFoundError");
    }
    for (const [first, second] of [
      ["url", "url"],
      ["url", "notMade"],
      ["notMade", "notMade"],
    ]) {
      const { id, url, name } = await createUncertain({ name: uniqueText() });
      const answer = (kind: string | undefined) => (kind === "url" ? { id, url } : { id, notMade: true });
      const answers = await Promise.all([resolve(answer(first)), resolve(answer(second))]);
      expect([name, answers.map(({ __typename }) => __typename).sort()]).toEqual([
        name,
        ["NotFoundError", "ResolveCreationSuccess"],
      ]);
    }
    const missing = { id: "01991000-0000-7000-8000-00000000ffff", notMade: true };
    expect((await resolve(missing)).__typename).toBe("NotFoundError");
  });
});

describe("the idempotency key of an uncertain creation", () => {
  test("an uncertain creation's idempotency key reports the unknown outcome until it is settled and then returns the link", async () => {
    const input = { name: uniqueText(), idempotencyKey: uniqueText() };
    const { id, url } = await createUncertain(input);
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
    expect(linksInTelegram(input.name)).toHaveLength(1);
  });

  test("one of twenty requests uses an idempotency key after its creation was settled as not made", async () => {
    const input = { name: uniqueText(), idempotencyKey: uniqueText() };
    const { id } = await createUncertain(input, { effect: "before" });
    const resolution = resolve({ id, notMade: true });
    const meanwhile = await Promise.all(Array.from({ length: 10 }, () => create(input)));
    await resolution;
    const after = await Promise.all(Array.from({ length: 20 }, () => create(input)));
    const links = [...meanwhile, ...after].flatMap(({ inviteLink }) => (inviteLink ? [inviteLink.id] : []));
    expect([new Set(links).size, after.every(({ inviteLink }) => inviteLink)]).toEqual([1, true]);
    expect(linksInTelegram(input.name)).toHaveLength(1);
  });

  test("an uncertain creation does not affect the equal idempotency key of another caller", async () => {
    const token = await server.makeToken({ role: "EDITOR" });
    const input = { name: uniqueText(), idempotencyKey: uniqueText() };
    const { id } = await createUncertain(input, { effect: "before" });
    const theirs = await create(input, token);
    expect(theirs.__typename).toBe("CreateInviteLinkSuccess");
    expect(await create(input)).toMatchObject(LOST);
    // The other caller's link is not the outcome of this creation.
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
  ])("an idempotency key may consist %s", async (_what, idempotencyKey) => {
    const input = { name: uniqueText(), idempotencyKey };
    const { id, url } = await createUncertain(input);
    expect(await list()).toContainEqual(expect.objectContaining({ id, idempotencyKey }));
    expect(await create(input)).toMatchObject(LOST);
    await resolve({ id, url });
    expect((await create(input)).inviteLink.url).toBe(url);
  });

  test("idempotency keys are compared without Unicode normalisation", async () => {
    const input = { name: uniqueText(), idempotencyKey: "A\u030a" };
    const { inviteLink } = await create(input);
    expect((await create({ ...input, idempotencyKey: "\u00c5" })).inviteLink.id).not.toBe(inviteLink.id);
  });

  test.each([
    ["an empty text", ""],
    ["one with NUL", "\0"],
    ["a lone surrogate", "\ud800"],
    ["one of 256 characters", "k".repeat(256)],
    ["one of 256 characters beyond the BMP", "🔑".repeat(256)],
  ])("createInviteLink refuses an invalid idempotency key: %s", async (_what, idempotencyKey) => {
    const name = uniqueText();
    expect((await create({ name, idempotencyKey })).__typename).toBe("ValidationError");
    expect(linksInTelegram(name)).toEqual([]);
  });

  test("one of twenty concurrent requests uses an idempotency key that a definite failure has freed", async () => {
    const input = { name: uniqueText(), idempotencyKey: uniqueText() };
    const nope = { kind: "error", error_code: 400, description: "Bad Request: nope" } as const;
    server.sandbox.control.fail(nope, { method: "createChatInviteLink" });
    const failed = create(input);
    const together = await Promise.all(Array.from({ length: 20 }, () => create(input)));
    const refused = [await failed, ...together].filter(({ inviteLink }) => !inviteLink);
    expect(refused.map(({ __typename }) => __typename)).toEqual(["TelegramRejectedError"]);
    expect(new Set(together.flatMap(({ inviteLink }) => inviteLink?.id ?? [])).size).toBe(1);
    expect(linksInTelegram(input.name)).toHaveLength(1);
  });
});

test("after a client abort at any moment its idempotency key returns the only link in Telegram", async () => {
  for (const wait of [0, 1, 2, 4, 8, 16, 32, 64]) {
    const input = { channelId: CHANNEL, name: uniqueText(), idempotencyKey: uniqueText() };
    const clientAbort = new AbortController();
    const pendingResponse = fetch(server.url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${server.token}` },
      body: JSON.stringify({ query: CREATE, variables: { input } }),
      signal: clientAbort.signal,
    }).catch(() => null);
    await delay(wait);
    clientAbort.abort();
    await pendingResponse;
    const { inviteLink } = await create(input);
    expect(linksInTelegram(input.name).map(({ url }) => url)).toEqual([inviteLink.url]);
  }
});

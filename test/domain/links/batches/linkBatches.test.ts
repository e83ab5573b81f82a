import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeOnForms } from "../../../support/databases.js";
import { LiveBed, type LiveServer, NEWS, OTHER, TALK } from "../../../support/liveServers.js";

const BATCH = `id channelId state totalCount madeCount failedCount uncertainCount createdAt finishedAt waitingUntil`;
const ERROR = `__typename code message ... on ValidationError { fieldErrors { field message } }
  ... on TelegramUnavailableError { outcomeUnknown } ... on BotNotInChannelError { channelId }`;
const CREATE = `mutation ($input: CreateInviteLinksInput!) { createInviteLinks(input: $input) {
  __typename ... on CreateInviteLinksSuccess { batch { ${BATCH} } } ... on UserError { ${ERROR} } } }`;
const CANCEL = `mutation ($id: ID!) { cancelInviteLinkBatch(input: { id: $id }) {
  __typename ... on CancelInviteLinkBatchSuccess { batch { ${BATCH} } } ... on UserError { ${ERROR} } } }`;
const ITEM = `index name externalId state inviteLink { id url name budget externalId tags { name } } error { ${ERROR} }`;

interface Batch {
  readonly id: string;
  readonly state: string;
  readonly totalCount: number;
  readonly madeCount: number;
  readonly failedCount: number;
  readonly uncertainCount: number;
  readonly finishedAt: string | null;
  readonly waitingUntil: string | null;
}

interface Item {
  readonly index: number;
  readonly name: string;
  readonly externalId: string | null;
  readonly state: string;
  readonly inviteLink: { readonly url: string; readonly name: string } | null;
  readonly error: {
    readonly __typename: string;
    readonly code: string;
    readonly outcomeUnknown?: boolean;
  } | null;
}

const eventually = <T>(look: () => Promise<T>) => expect.poll(look, { interval: 20 });

await describeOnForms("many links at once", ["embedded", "server"], (form) => {
  let bed: LiveBed;
  let server: LiveServer;
  let round = 0;

  beforeAll(async () => {
    bed = await LiveBed.prepare(form);
    server = await bed.start();
    for (const chat of [NEWS, OTHER, TALK])
      await server.ask(`mutation { connectChannel(input: { chat: "${chat}" }) { __typename } }`);
  });
  afterAll(() => bed?.close());
  beforeEach(() => {
    bed.telegram.control.clearFaults();
    round += 1;
  });

  /** Names that no other test uses. */
  const named = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `${round}-${index}` }));

  async function create(links: readonly object[], more: object = {}, token?: string) {
    const { data, errors } = await server.ask(CREATE, { input: { channelId: NEWS, links, ...more } }, token);
    expect(errors).toBeUndefined();
    return data.createInviteLinks;
  }
  async function created(links: readonly object[], more: object = {}): Promise<Batch> {
    const answer = await create(links, more);
    expect(answer).toMatchObject({ __typename: "CreateInviteLinksSuccess" });
    return answer.batch;
  }
  const cancel = async (id: string, token?: string) => {
    const { data } = await server.ask(CANCEL, { id }, token);
    return data.cancelInviteLinkBatch;
  };
  const read = async (id: string, token?: string): Promise<Batch> => {
    const { data } = await server.ask(
      `query ($id: ID!) { node(id: $id) { ... on InviteLinkBatch { ${BATCH} } } }`,
      { id },
      token,
    );
    return data.node;
  };
  const items = async (id: string, states?: readonly string[]): Promise<Item[]> => {
    const found: Item[] = [];
    for (let after: string | null = null; ; ) {
      const { data } = await server.ask(
        `query ($id: ID!, $after: String, $states: [InviteLinkBatchItemState!]) { node(id: $id) {
          ... on InviteLinkBatch { items(first: 100, after: $after, states: $states) {
            totalCount nodes { ${ITEM} } pageInfo { endCursor hasNextPage } } } } }`,
        { id, after, states },
      );
      const { nodes, pageInfo } = data.node.items;
      found.push(...nodes);
      if (!pageInfo.hasNextPage) return found;
      after = pageInfo.endCursor;
    }
  };
  const finished = async (id: string): Promise<Batch> => {
    await eventually(async () => (await read(id)).finishedAt).not.toBeNull();
    return read(id);
  };
  const made = (name: string, chatId = NEWS) =>
    bed.telegram.control.links(chatId).filter((link) => link.name === name);
  const calls = (name: string) =>
    bed.telegram.control
      .calls("createChatInviteLink")
      .filter(({ parameters }) => parameters["name"] === name);
  /** Settles all uncertain creations as not made. */
  const settle = async () => {
    const { data } = await server.ask("{ uncertainCreations { id } }");
    for (const { id } of data.uncertainCreations)
      await server.ask(
        `mutation ($input: ResolveCreationInput!) { resolveCreation(input: $input) { __typename } }`,
        { input: { id, notMade: true } },
      );
  };
  const statesOf = async (id: string) => (await items(id)).map(({ state }) => state);

  test("the links are created in the background, each with what was asked for", async () => {
    const links = named(5).map((link, index) => ({
      ...link,
      budget: `${index}.50`,
      externalId: `first ${round}-${index}`,
    }));
    const batch = await created(links);
    expect(batch).toMatchObject({ channelId: NEWS, totalCount: 5, failedCount: 0, uncertainCount: 0 });
    expect(await finished(batch.id)).toMatchObject({ state: "DONE", madeCount: 5, waitingUntil: null });
    const found = await items(batch.id);
    expect(found).toMatchObject(
      links.map(({ name, budget, externalId }, index) => ({
        index,
        name,
        externalId,
        state: "MADE",
        inviteLink: { name, budget, externalId },
        error: null,
      })),
    );
    for (const { name, inviteLink } of found)
      expect(made(name).map(({ url }) => url)).toEqual([inviteLink?.url]);
    expect(await items(batch.id, ["FAILED", "WAITING"])).toEqual([]);
    expect(await items(batch.id, ["MADE"])).toHaveLength(5);
  });

  test("a key gives the first batch again, and other arguments are a conflict", async () => {
    const links = named(2);
    const idempotencyKey = `key ${round}`;
    const [first, second] = await Promise.all([
      created(links, { idempotencyKey }),
      created(links, { idempotencyKey }),
    ]);
    expect(second.id).toBe(first.id);
    await finished(first.id);
    expect((await created(links, { idempotencyKey })).id).toBe(first.id);
    expect(await create(links.slice(1), { idempotencyKey })).toMatchObject({
      __typename: "IdempotencyConflictError",
    });
    for (const { name } of links) expect(calls(name)).toHaveLength(1);
  });

  test("one link that is not acceptable refuses all, and the error names it", async () => {
    const links = named(9);
    const answer = await create(
      links.map((link, index) =>
        index === 7
          ? { name: " ", budget: "-1", memberLimit: 0, tagIds: ["x"] }
          : index === 8
            ? { ...link, memberLimit: 5, createsJoinRequest: true }
            : link,
      ),
    );
    expect(answer).toMatchObject({ __typename: "ValidationError" });
    expect(answer.fieldErrors.map(({ field }: { field: string }) => field).sort()).toEqual(
      [
        "links.7.budget",
        "links.7.memberLimit",
        "links.7.name",
        "links.7.tagIds.0",
        "links.8.memberLimit",
      ].sort(),
    );
    const many = await create(Array.from({ length: 50 }, () => ({ name: "" })));
    expect(many.fieldErrors).toHaveLength(20);
    expect((await create([])).fieldErrors).toMatchObject([{ field: "links" }]);
    expect((await create(Array.from({ length: 1001 }, () => ({ name: "x" })))).fieldErrors).toMatchObject([
      { field: "links" },
    ]);
    const { data } = await server.ask(CREATE, { input: { channelId: -100999, links: named(1) } });
    expect(data.createInviteLinks.fieldErrors).toMatchObject([
      { field: "channelId", message: expect.stringContaining("connectChannel") },
    ]);
    for (const { name } of links) expect(calls(name)).toEqual([]);
  });

  test("an external id is taken as long as its link waits, and free again when it is cancelled", async () => {
    const release = bed.telegram.control.hold({ method: "createChatInviteLink" });
    const called = bed.telegram.control.nextCall("createChatInviteLink");
    const [first, ...rest] = named(3);
    const batch = await created([
      { ...first },
      ...rest.map((link, index) => ({ ...link, externalId: `held ${round}-${index}` })),
    ]);
    await called;
    const externalId = `held ${round}-0`;
    const taken = { __typename: "ValidationError" };
    const twice = await create([
      { name: "a", externalId: "twice" },
      { name: "b", externalId: "twice" },
    ]);
    expect(twice.fieldErrors).toMatchObject([{ field: "links.1.externalId" }]);
    expect((await create([{ name: "a" }, { name: "b", externalId }])).fieldErrors).toMatchObject([
      { field: "links.1.externalId" },
    ]);
    const single = await server.ask(
      `mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { __typename
        ... on ValidationError { fieldErrors { field } } } }`,
      { input: { channelId: NEWS, name: "single", externalId } },
    );
    expect(single.data.createInviteLink).toEqual({ ...taken, fieldErrors: [{ field: "externalId" }] });
    const other = bed.telegram.control.links(NEWS);
    expect(other.map(({ name }) => name)).not.toContain("single");
    const cancelled = await cancel(batch.id);
    // The link that is being created is finished first.
    expect(cancelled.batch).toMatchObject({ state: "CANCELLED", finishedAt: null });
    release();
    expect(await finished(batch.id)).toMatchObject({ state: "CANCELLED", madeCount: 1 });
    expect(await statesOf(batch.id)).toEqual(["MADE", "CANCELLED", "CANCELLED"]);
    const again = await created([{ name: `${round}-again`, externalId }]);
    expect(await finished(again.id)).toMatchObject({ madeCount: 1 });
    expect((await cancel(again.id)).batch).toMatchObject({ state: "DONE" });
    expect((await cancel(batch.id)).batch).toMatchObject({ state: "CANCELLED" });
  });

  test("a flood is waited out, and the batch says until when", async () => {
    const links = named(4);
    bed.telegram.control.fail(
      { kind: "too-many-requests", retryAfter: 5 },
      { method: "createChatInviteLink", skip: 2 },
    );
    const batch = await created(links);
    await eventually(() => read(batch.id)).toMatchObject({
      state: "RUNNING",
      madeCount: 2,
      waitingUntil: expect.any(String),
    });
    expect(await finished(batch.id)).toMatchObject({ state: "DONE", madeCount: 4, waitingUntil: null });
    for (const { name } of links) expect(made(name)).toHaveLength(1);
  });

  test("what refuses every link of the channel fails all that wait, without asking for each", async () => {
    const links = named(30);
    bed.telegram.control.fail(
      { kind: "error", error_code: 403, description: "Forbidden: bot was kicked from the channel chat" },
      { method: "createChatInviteLink", skip: 2 },
    );
    const batch = await created(links);
    expect(await finished(batch.id)).toMatchObject({ state: "DONE", madeCount: 2, failedCount: 28 });
    const failed = await items(batch.id, ["FAILED"]);
    expect(failed.map(({ error }) => error)).toEqual(
      failed.map(() => expect.objectContaining({ code: "BOT_NOT_IN_CHANNEL", channelId: NEWS })),
    );
    expect(links.filter(({ name }) => calls(name).length > 0)).toHaveLength(3);
  });

  test("a refusal of one link fails that link alone", async () => {
    bed.telegram.control.fail(
      { kind: "error", error_code: 400, description: "Bad Request: EXPIRE_DATE_INVALID" },
      { method: "createChatInviteLink", skip: 1 },
    );
    const batch = await created(named(3));
    expect(await finished(batch.id)).toMatchObject({ madeCount: 2, failedCount: 1 });
    const [failed] = await items(batch.id, ["FAILED"]);
    expect(failed).toMatchObject({
      index: 1,
      inviteLink: null,
      error: { code: "BAD_USER_INPUT", fieldErrors: [{ field: "links.1.expireDate" }] },
    });
  });

  test("a lost answer makes its link uncertain, the batch goes on, and settling it ends the item", async () => {
    bed.telegram.control.fail({ kind: "cut", effect: "after" }, { method: "createChatInviteLink", skip: 1 });
    bed.telegram.control.fail({ kind: "half-body" }, { method: "createChatInviteLink", skip: 2 });
    const links = named(4);
    const batch = await created(links);
    expect(await finished(batch.id)).toMatchObject({ madeCount: 2, uncertainCount: 2 });
    const uncertain = await items(batch.id, ["UNCERTAIN"]);
    expect(uncertain).toMatchObject([
      { inviteLink: null, error: { code: "TELEGRAM_UNAVAILABLE", outcomeUnknown: true } },
      { inviteLink: null, error: { code: "TELEGRAM_UNAVAILABLE", outcomeUnknown: true } },
    ]);
    for (const { name } of links) expect(made(name)).toHaveLength(1);
    const { data } = await server.ask("{ uncertainCreations { id name } }");
    const [first, second] = uncertain;
    const creationOf = (item?: Item) =>
      data.uncertainCreations.find(({ name }: { name: string }) => name === item?.name)?.id;
    const resolve = (input: object) =>
      server.ask(
        `mutation ($input: ResolveCreationInput!) { resolveCreation(input: $input) { __typename } }`,
        { input },
      );
    await resolve({ id: creationOf(first), url: made(first?.name ?? "")[0]?.url });
    await resolve({ id: creationOf(second), notMade: true });
    expect(await read(batch.id)).toMatchObject({ madeCount: 3, failedCount: 1, uncertainCount: 0 });
    expect(await items(batch.id, ["FAILED"])).toMatchObject([
      { index: second?.index, error: { code: "TELEGRAM_UNAVAILABLE", outcomeUnknown: false } },
    ]);
    expect((await items(batch.id))[first?.index ?? -1]?.inviteLink?.url).toBe(
      made(first?.name ?? "")[0]?.url,
    );
  });

  test("nobody outside the channel sees or changes a batch, and a viewer only reads", async () => {
    const [viewer, stranger] = await Promise.all([
      server.makeToken("VIEWER", [NEWS]),
      server.makeToken("EDITOR", [OTHER]),
    ]);
    const batch = await created(named(1));
    expect(await read(batch.id, viewer.secret)).toMatchObject({ id: batch.id });
    expect(await read(batch.id, stranger.secret)).toBeNull();
    expect(await create(named(1), {}, viewer.secret)).toMatchObject({ code: "FORBIDDEN" });
    expect(await create(named(1), {}, stranger.secret)).toMatchObject({ code: "FORBIDDEN" });
    expect(await cancel(batch.id, viewer.secret)).toMatchObject({ code: "FORBIDDEN" });
    expect(await cancel(batch.id, stranger.secret)).toMatchObject({ code: "NOT_FOUND" });
    const listed = `{ inviteLinkBatches(channelId: ${NEWS}, first: 1) { totalCount nodes { id } } }`;
    expect((await server.ask(listed, {}, viewer.secret)).data.inviteLinkBatches.nodes).toEqual([
      { id: batch.id },
    ]);
    expect((await server.ask(listed, {}, stranger.secret)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    const stream = await server.subscribe(
      `subscription { inviteLinkBatchUpdated(id: "${batch.id}") { id } }`,
      { token: stranger.secret },
    );
    const [event] = await stream.reader.rest();
    expect(event?.data?.errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    await finished(batch.id);
  });

  test("a single link does not wait for the links of a batch", async () => {
    const { control } = bed.telegram;
    const release = control.hold({ method: "createChatInviteLink" });
    const called = control.nextCall("createChatInviteLink");
    const batch = await created(named(20));
    await called;
    const { data } = await server.ask(
      `mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { __typename } }`,
      { input: { channelId: NEWS, name: `${round} single` } },
    );
    expect(data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
    expect((await read(batch.id)).madeCount).toBe(0);
    release();
    expect(await finished(batch.id)).toMatchObject({ madeCount: 20 });
  });

  test("a Telegram that cannot be used is waited for, and no link is uncertain", async () => {
    const restore = bed.telegram.control.fail({ kind: "unauthorized" });
    const refused = bed.telegram.control.nextCall("createChatInviteLink");
    const batch = await created(named(2));
    await refused;
    expect(await read(batch.id)).toMatchObject({ state: "RUNNING", madeCount: 0, waitingUntil: null });
    restore();
    expect(await finished(batch.id)).toMatchObject({ madeCount: 2, uncertainCount: 0, failedCount: 0 });
  });

  test("a batch with nothing left to create ends although Telegram is away", async () => {
    const { control } = bed.telegram;
    control.fail({ kind: "cut", effect: "after" }, { method: "createChatInviteLink" });
    const restore = control.fail({ kind: "unauthorized" }, { method: "getMe" });
    const batch = await created(named(1));
    expect(await finished(batch.id)).toMatchObject({ state: "DONE", uncertainCount: 1 });
    control.fail({ kind: "cut", effect: "after" }, { method: "createChatInviteLink" });
    const next = await created(named(2));
    await eventually(async () => (await read(next.id)).uncertainCount).toBe(1);
    await cancel(next.id);
    expect(await finished(next.id)).toMatchObject({ state: "CANCELLED", uncertainCount: 1 });
    restore();
    await settle();
  });

  test("the subscription shows the batch now and as it moves, and ends with it", async () => {
    const control = bed.telegram.control;
    const second = { method: "createChatInviteLink", skip: 1 };
    const release = control.hold(second);
    const batch = await created(named(3));
    await eventually(async () => (await read(batch.id)).madeCount).toBe(1);
    const stream = await server.subscribe(
      `subscription { inviteLinkBatchUpdated(id: "${batch.id}") { state madeCount finishedAt } }`,
    );
    const state = async () => (await stream.reader.next())?.data?.data.inviteLinkBatchUpdated;
    expect(await state()).toEqual({ state: "RUNNING", madeCount: 1, finishedAt: null });
    release();
    const all = await stream.reader.rest();
    expect(all.at(-1)).toMatchObject({ event: "complete" });
    const states = all.slice(0, -1).map(({ data }) => data?.data.inviteLinkBatchUpdated);
    expect(states.at(-1)).toMatchObject({ state: "DONE", madeCount: 3 });
    const counts = states.map(({ madeCount }) => madeCount);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts).not.toContain(1);
  });

  test("a group that becomes a supergroup keeps its batches", async () => {
    const batch = await created(named(1), { channelId: TALK });
    await finished(batch.id);
    const upgraded = bed.telegram.control.upgrade(TALK);
    const links = named(3).map((link) => ({ name: `up ${link.name}` }));
    const next = await created(links, { channelId: TALK });
    expect(await finished(next.id)).toMatchObject({ channelId: upgraded, madeCount: 3 });
    expect(await read(batch.id)).toMatchObject({ channelId: upgraded });
    for (const { name } of links) expect(made(name, upgraded)).toHaveLength(1);
  });

  test("the metrics count the batches and their links", async () => {
    const metrics = await (await fetch(new URL("/metrics", server.url))).text();
    expect(metrics).toContain("invite_links_link_batches_running 0");
    expect(metrics).toMatch(/invite_links_link_batch_items_total\{outcome="made"\} \d+/);
    expect(metrics).toMatch(/invite_links_link_batch_items_total\{outcome="uncertain"\} 4/);
  });

  test("no step of a batch failed unexpectedly", () => {
    expect(server.log.filter(({ msg }) => msg.startsWith("a step of a batch"))).toEqual([]);
  });
});

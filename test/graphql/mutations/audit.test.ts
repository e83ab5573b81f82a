import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newId } from "../../../src/domain/shared/ids.js";
import { schema } from "../../../src/graphql/schema.js";
import { chatOf, telegramUpdate } from "../../domain/members/updates.js";
import { ALL_FORMS, describeOnForms } from "../../support/databases.js";
import { startTestServer, type TestServer } from "../../support/server.js";
import { globalId, mutating } from "./mutating.js";

interface Entry {
  readonly id: string;
  readonly caller: string;
  readonly callerName: string | null;
  readonly action: string;
  readonly subjectId: string | null;
  readonly channelId: number | null;
  readonly change: object;
}

/** An entry that a mutation leaves. Without a channel the subject belongs to none. */
type Expected = Partial<Entry> & Pick<Entry, "action">;

const PERSON = 123_456_789;
const FAILED_UPDATE = newId();
const LEARNED_CHAT = -1_000_000_000_777;
/** A port on which nobody listens. */
const NOBODY = "http://127.0.0.1:9/hook";

await describeOnForms("audit entries of mutations", ALL_FORMS, (form) => {
  let server: TestServer;
  let mutate: ReturnType<typeof mutating>;
  let chatId: number;
  const secrets: string[] = [];
  /** Global ids of what the mutations have made. */
  const made: Record<string, string> = {};

  beforeAll(async () => {
    server = await startTestServer({ webhookAllowPrivate: true }, form, async ({ prisma }) => {
      const usual = { link: null, isByAdmin: false, isByRequest: false, isByFolder: false };
      const seed = { ...usual, chat: LEARNED_CHAT, user: PERSON, kind: "join", date: 1_780_000_000 } as const;
      await prisma.failedUpdate.create({
        data: {
          id: FAILED_UPDATE,
          botId: 1n,
          updateId: 1n,
          receivedAt: new Date(),
          reason: "The database was full.",
          body: { ...telegramUpdate({ ...seed, updateId: 1 }), chat: chatOf(LEARNED_CHAT) },
        },
      });
    });
    mutate = mutating(server);
    secrets.push(server.token, server.sandbox.bot.token);
    chatId = server.sandbox.control.addChat({ type: "channel", title: "Audited", username: "audited_chat" });
  });
  afterAll(() => server?.stop());

  const FIELDS = "id caller callerName action subjectId channelId change";
  const entries = async (): Promise<Entry[]> => {
    const { data, errors } = await server.ask(`{ auditEntries(first: 100) { nodes { ${FIELDS} } } }`);
    expect(errors).toBeUndefined();
    return data.auditEntries.nodes;
  };

  /** The new entries of the test's token, and the answer of what was done. */
  async function auditOf<Answer>(work: () => Promise<Answer>): Promise<[Entry[], Answer]> {
    const before = new Set((await entries()).map(({ id }) => id));
    const answer = await work();
    const fresh = (await entries()).filter(
      ({ id, callerName }) => !before.has(id) && callerName === "Sandbox",
    );
    return [inOrder(fresh), answer];
  }

  /** Sorted by action and subject. Entries whose subject is not known beforehand are of one action alone. */
  const inOrder = <Listed extends Expected>(listed: readonly Listed[]): Listed[] => {
    const keyOf = ({ action, subjectId }: Expected) => `${action} ${subjectId}`;
    return [...listed].sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  };

  const succeed = async (name: string, input: object, selection = "__typename") => {
    const answer = await mutate(name, input, selection);
    expect(answer).toMatchObject({ __typename: expect.stringMatching(/Success$/) });
    return answer;
  };
  const link = async (more: object = {}) =>
    (await succeed("createInviteLink", { channelId: chatId, name: "Ad", ...more }, "inviteLink { id url }"))
      .inviteLink;
  const tag = async (name: string): Promise<string> =>
    (
      await succeed(
        "createTag",
        { channelId: chatId, name, color: "#112233", tagTypeId: made["tagType"] },
        "tag { id }",
      )
    ).tag.id;
  const uuid = (id: string | undefined) =>
    Buffer.from(id ?? "", "base64")
      .toString()
      .split(":")[1];
  const inChannel = (entry: Expected): Expected => ({ channelId: chatId, ...entry });
  const nodeOf = async (id: string, selection: string) =>
    (await server.ask(`query ($id: ID!) { node(id: $id) { ${selection} } }`, { id })).data.node;
  const batchEnds = (id: string) =>
    vi.waitUntil(async () => (await nodeOf(id, "... on InviteLinkBatch { state }")).state !== "RUNNING", {
      timeout: 60_000,
    });

  interface Case {
    /** What is needed beforehand. */
    readonly prepare?: () => Promise<void>;
    readonly run: () => Promise<unknown>;
    readonly expected: () => Expected[];
    /** Whether the same again changes nothing, and so leaves no entry. */
    readonly isIdempotent?: true;
  }

  /** Every mutation, in an order in which each has what it needs. */
  const CASES: Record<string, Case> = {
    connectChannel: {
      run: async () => {
        const input = { chat: String(chatId), currency: "EUR" };
        made["channel"] = (await succeed("connectChannel", input, "channel { id }")).channel.id;
      },
      expected: () => [
        inChannel({
          action: "channel.store",
          subjectId: made["channel"] as string,
          change: {
            kind: "CHANNEL",
            title: "Audited",
            username: "audited_chat",
            currency: "EUR",
            botStatus: "READY",
          },
        }),
      ],
      isIdempotent: true,
    },
    updateChannel: {
      run: () =>
        succeed("updateChannel", { id: made["channel"], currency: "CHF", timeZone: "Europe/Berlin" }),
      expected: () => [
        inChannel({
          action: "channel.update",
          subjectId: made["channel"] as string,
          change: { currency: { from: "EUR", to: "CHF" }, timeZone: { from: "UTC", to: "Europe/Berlin" } },
        }),
      ],
      isIdempotent: true,
    },
    createTagType: {
      run: async () => {
        made["tagType"] = (await succeed("createTagType", { name: "Place" }, "tagType { id }")).tagType.id;
      },
      expected: () => [
        {
          action: "tagType.create",
          subjectId: made["tagType"] as string,
          channelId: null,
          change: { name: "Place" },
        },
      ],
    },
    updateTagType: {
      run: () => succeed("updateTagType", { id: made["tagType"], name: "Placement" }),
      expected: () => [
        {
          action: "tagType.update",
          subjectId: made["tagType"] as string,
          change: { name: { from: "Place", to: "Placement" } },
        },
      ],
      isIdempotent: true,
    },
    deleteTagType: {
      prepare: async () => {
        made["spareType"] = (await succeed("createTagType", { name: "Spare" }, "tagType { id }")).tagType.id;
      },
      run: () => succeed("deleteTagType", { id: made["spareType"] }),
      expected: () => [
        { action: "tagType.delete", subjectId: made["spareType"] as string, change: { name: "Spare" } },
      ],
    },
    createTag: {
      run: async () => {
        made["tag"] = await tag("YouTube");
      },
      expected: () => [
        inChannel({
          action: "tag.create",
          subjectId: made["tag"] as string,
          change: { name: "YouTube", color: "#112233", typeId: uuid(made["tagType"]) },
        }),
      ],
    },
    updateTag: {
      run: () => succeed("updateTag", { id: made["tag"], name: "TikTok" }),
      expected: () => [
        inChannel({
          action: "tag.update",
          subjectId: made["tag"] as string,
          change: { name: { from: "YouTube", to: "TikTok" } },
        }),
      ],
      isIdempotent: true,
    },
    createInviteLink: {
      run: async () => {
        const { id, url } = await link({ budget: "5.00", tagIds: [made["tag"]], idempotencyKey: "audited" });
        Object.assign(made, { link: id, url });
      },
      expected: () => [
        inChannel({
          action: "inviteLink.create",
          subjectId: made["link"] as string,
          change: { url: made["url"], name: "Ad", budget: "5.00", tagIds: [uuid(made["tag"])] },
        }),
      ],
      isIdempotent: true,
    },
    updateInviteLink: {
      run: () =>
        succeed("updateInviteLink", { id: made["link"], name: "Banner", budget: "6.00", tagIds: [] }),
      expected: () => [
        inChannel({
          action: "inviteLink.update",
          subjectId: made["link"] as string,
          change: {
            name: { from: "Ad", to: "Banner" },
            budget: { from: "5.00", to: "6.00" },
            addTagIds: [],
            removeTagIds: [uuid(made["tag"])],
          },
        }),
      ],
      isIdempotent: true,
    },
    setInviteLinkTags: {
      prepare: async () => {
        made["tagged"] = (await link({ tagIds: [made["tag"]] })).id;
        made["otherLink"] = (await link()).id;
      },
      run: () =>
        succeed("setInviteLinkTags", {
          ids: [made["link"], made["tagged"], made["otherLink"]],
          addTagIds: [made["tag"]],
        }),
      expected: () =>
        ["link", "otherLink"].map((name) =>
          inChannel({
            action: "inviteLink.setTags",
            subjectId: made[name] as string,
            change: { addTagIds: [uuid(made["tag"])], removeTagIds: [] },
          }),
        ),
      isIdempotent: true,
    },
    deleteTag: {
      run: () => succeed("deleteTag", { id: made["tag"] }),
      expected: () => [
        ...["link", "tagged", "otherLink"].map((name) =>
          inChannel({
            action: "inviteLink.setTags",
            subjectId: made[name] as string,
            change: { addTagIds: [], removeTagIds: [uuid(made["tag"])] },
          }),
        ),
        inChannel({
          action: "tag.delete",
          subjectId: made["tag"] as string,
          change: { name: "TikTok", color: "#112233", typeId: uuid(made["tagType"]) },
        }),
      ],
    },
    revokeInviteLink: {
      run: () => succeed("revokeInviteLink", { id: made["link"] }),
      expected: () => [
        inChannel({
          action: "inviteLink.revoke",
          subjectId: made["link"] as string,
          change: { url: made["url"], isRevoked: { from: false, to: true } },
        }),
      ],
      isIdempotent: true,
    },
    createInviteLinks: {
      run: async () => {
        const input = {
          channelId: chatId,
          links: [{ name: "One" }, { name: "Two" }],
          idempotencyKey: "many",
        };
        made["batch"] = (await succeed("createInviteLinks", input, "batch { id }")).batch.id;
        await batchEnds(made["batch"] as string);
      },
      expected: () => [
        ...["One", "Two"].map(() => inChannel({ action: "inviteLink.create" })),
        inChannel({
          action: "inviteLinkBatch.create",
          subjectId: made["batch"] as string,
          change: { totalCount: 2 },
        }),
      ],
      isIdempotent: true,
    },
    cancelInviteLinkBatch: {
      run: async () => {
        const { control } = server.sandbox;
        const called = control.nextCall("createChatInviteLink");
        const release = control.hold({ method: "createChatInviteLink" });
        const input = { channelId: chatId, links: [{ name: "Three" }, { name: "Four" }] };
        const id = (await succeed("createInviteLinks", input, "batch { id }")).batch.id;
        made["cancelled"] = id;
        await called;
        await succeed("cancelInviteLinkBatch", { id });
        release();
        const finishedAt = async () => (await nodeOf(id, "... on InviteLinkBatch { finishedAt }")).finishedAt;
        await vi.waitUntil(async () => (await finishedAt()) !== null, { timeout: 60_000 });
      },
      // The link that was being made is finished.
      expected: () => [
        inChannel({ action: "inviteLink.create" }),
        inChannel({
          action: "inviteLinkBatch.cancel",
          subjectId: made["cancelled"] as string,
          change: { state: { from: "RUNNING", to: "CANCELLED" } },
        }),
        inChannel({ action: "inviteLinkBatch.create", subjectId: made["cancelled"] as string }),
      ],
    },
    setJoinRequestPolicy: {
      prepare: async () => {
        const asking = await link({ createsJoinRequest: true });
        Object.assign(made, { asking: asking.id, askingUrl: asking.url });
      },
      run: () =>
        succeed("setJoinRequestPolicy", {
          inviteLinkId: made["asking"],
          decider: "AUTOMATIC",
          approveAfterSeconds: 600_000,
        }),
      expected: () => [
        inChannel({
          action: "joinRequestPolicy.set",
          subjectId: made["asking"] as string,
          change: { approveAfterSeconds: { from: null, to: 600_000 } },
        }),
      ],
      isIdempotent: true,
    },
    decideJoinRequests: {
      prepare: async () => {
        const user = { id: PERSON, is_bot: false, first_name: "Ann" };
        server.sandbox.control.join(chatId, user, { url: made["askingUrl"] as string });
        const read = `{ joinRequests(channelId: ${chatId}) { nodes { id } } }`;
        await vi.waitUntil(
          async () => {
            made["request"] = (await server.ask(read)).data.joinRequests.nodes[0]?.id ?? "";
            return made["request"] !== "";
          },
          { timeout: 60_000 },
        );
      },
      run: () => succeed("decideJoinRequests", { ids: [made["request"]], decision: "APPROVE" }),
      expected: () => [
        inChannel({
          action: "joinRequest.approve",
          subjectId: made["request"] as string,
          change: { state: { from: "PENDING", to: "APPROVED" } },
        }),
      ],
      isIdempotent: true,
    },
    resolveCreation: {
      prepare: async () => {
        server.sandbox.control.fail({ kind: "cut", effect: "before" }, { method: "createChatInviteLink" });
        expect(await mutate("createInviteLink", { channelId: chatId, name: "Lost" })).toMatchObject({
          __typename: "TelegramUnavailableError",
        });
        const { data } = await server.ask("{ uncertainCreations { id } }");
        made["creation"] = data.uncertainCreations[0].id;
      },
      run: () => succeed("resolveCreation", { id: made["creation"], notMade: true }),
      expected: () => [
        inChannel({
          action: "linkCreation.resolve",
          subjectId: made["creation"] as string,
          change: { made: false },
        }),
      ],
    },
    createWebhook: {
      run: async () => {
        const input = { url: NOBODY, eventTypes: ["LINK_CREATED"], channelIds: [chatId] };
        const { webhook, secret } = await succeed("createWebhook", input, "webhook { id } secret");
        made["webhook"] = webhook.id;
        secrets.push(secret);
      },
      expected: () => [
        {
          action: "webhook.create",
          subjectId: made["webhook"] as string,
          channelId: null,
          change: {
            url: NOBODY,
            format: "STANDARD",
            eventTypes: ["LINK_CREATED"],
            channelIds: [chatId],
            holdSeconds: null,
            isEnabled: true,
          },
        },
      ],
    },
    redeliver: {
      prepare: async () => {
        await link();
        const { deliveries } = await nodeOf(
          made["webhook"] as string,
          "... on Webhook { deliveries { nodes { id } } }",
        );
        made["delivery"] = deliveries.nodes[0].id;
      },
      run: () => succeed("redeliver", { deliveryIds: [made["delivery"]] }),
      expected: () => [
        {
          action: "webhook.redeliver",
          subjectId: made["webhook"] as string,
          change: { deliveryIds: [uuid(made["delivery"])] },
        },
      ],
    },
    updateWebhook: {
      run: () => succeed("updateWebhook", { id: made["webhook"], isEnabled: false }),
      expected: () => [
        {
          action: "webhook.update",
          subjectId: made["webhook"] as string,
          change: { isEnabled: { from: true, to: false } },
        },
      ],
      isIdempotent: true,
    },
    deleteWebhook: {
      run: () => succeed("deleteWebhook", { id: made["webhook"] }),
      expected: () => [{ action: "webhook.delete", subjectId: made["webhook"] as string }],
    },
    createApiToken: {
      run: async () => {
        const input = { name: "Reader", role: "VIEWER", channelIds: [chatId], telegramUserId: PERSON };
        const { apiToken, secret } = await succeed("createApiToken", input, "apiToken { id } secret");
        made["token"] = apiToken.id;
        made["tokenSecret"] = secret;
        secrets.push(secret);
      },
      expected: () => [
        {
          action: "apiToken.create",
          subjectId: made["token"] as string,
          channelId: null,
          change: { name: "Reader", role: "VIEWER", channelIds: [chatId] },
        },
      ],
    },
    revokeApiToken: {
      run: () => succeed("revokeApiToken", { id: made["token"] }),
      expected: () => [
        { action: "apiToken.revoke", subjectId: made["token"] as string, change: { name: "Reader" } },
      ],
      isIdempotent: true,
    },
    retryFailedUpdates: {
      run: () => succeed("retryFailedUpdates", { ids: [FAILED_UPDATE] }),
      expected: () => [
        {
          action: "failedUpdate.retry",
          subjectId: globalId("FailedUpdate", FAILED_UPDATE),
          change: { updateId: 1 },
        },
      ],
      isIdempotent: true,
    },
    eraseMember: {
      run: () => succeed("eraseMember", { userId: PERSON }),
      expected: () => [{ action: "member.erase", subjectId: null, channelId: null }],
    },
  };

  test("every mutation of the schema is tested for its audit entries", () => {
    expect(Object.keys(CASES).sort()).toEqual(
      Object.keys(schema.getMutationType()?.getFields() ?? {}).sort(),
    );
  });

  for (const [name, { prepare, run, expected, isIdempotent }] of Object.entries(CASES))
    test(`${name} leaves one audit entry for each thing that it changes`, async () => {
      await prepare?.();
      const [found] = await auditOf(run);
      const wanted = expected();
      expect(found.map(({ action }) => action)).toEqual(wanted.map(({ action }) => action));
      expect(inOrder(found)).toMatchObject(inOrder(wanted));
      for (const entry of found) expect(entry.caller).toMatch(/^token:/);
      if (isIdempotent) expect((await auditOf(run))[0]).toEqual([]);
    });

  test("connecting a channel again leaves an entry of what differs", async () => {
    const connect = () => succeed("connectChannel", { chat: String(chatId), currency: "USD" });
    const change = { currency: { from: "CHF", to: "USD" } };
    const action = "channel.store";
    expect((await auditOf(connect))[0]).toMatchObject([inChannel({ action, change })]);
  });

  test("what the server does by itself has the caller server and no name", async () => {
    const { control } = server.sandbox;
    const group = control.addChat({ type: "group", title: "Growing" });
    await succeed("connectChannel", { chat: String(group) });
    const supergroup = control.upgrade(group);
    await succeed("createInviteLink", { channelId: group, name: "Follows" });
    const asking = await link({ createsJoinRequest: true });
    const policy = { inviteLinkId: asking.id, decider: "AUTOMATIC", approveAfterSeconds: 0 };
    await succeed("setJoinRequestPolicy", policy);
    control.join(chatId, { id: 7_000_000, is_bot: false, first_name: "Bob" }, { url: asking.url });
    const byServer = async () => (await entries()).filter(({ caller }) => caller === "server");
    const actions = async () => (await byServer()).map(({ action }) => action);
    await vi.waitUntil(async () => (await actions()).includes("joinRequest.approve"), { timeout: 60_000 });
    control.setBot(chatId, { status: "administrator", can_invite_users: false });
    await vi.waitUntil(async () => (await actions()).includes("channel.setBotStatus"), { timeout: 60_000 });
    const expected: Expected[] = [
      {
        action: "apiToken.create",
        channelId: null,
        change: { name: "Sandbox", role: "ADMIN", channelIds: null },
      },
      { action: "channel.migrate", channelId: supergroup, change: { from: group, to: supergroup } },
      inChannel({
        action: "joinRequest.approve",
        change: { state: { from: "PENDING", to: "APPROVED" } },
      }),
      inChannel({
        action: "channel.setBotStatus",
        subjectId: made["channel"] as string,
        change: { from: "READY", to: "MISSING_PERMISSION" },
      }),
    ];
    for (const entry of expected) {
      const found = (await byServer()).filter(({ action }) => action === entry.action);
      expect(found).toMatchObject([{ ...entry, callerName: null }]);
    }
  });

  test("the use of a token leaves no audit entry", async () => {
    const token = await server.makeToken({ role: "VIEWER" });
    const before = await entries();
    await server.ask("{ viewer { name } channels { nodes { id } } }", {}, token);
    await server.ask("{ viewer { name } }", {}, "invl_wrong");
    expect(await entries()).toEqual(before);
  });

  test("no audit entry has a secret, or names a person who was erased", async () => {
    const all = JSON.stringify(await entries());
    expect(secrets.length).toBeGreaterThan(3);
    for (const secret of secrets) expect(all).not.toContain(secret);
    expect(all).not.toContain(String(PERSON));
  });

  test("the subject of an entry is found by its global id while it exists", async () => {
    for (const name of ["channel", "tagType", "link", "batch", "asking", "request", "token"])
      expect(await nodeOf(made[name] as string, "id")).toEqual({ id: made[name] });
  });
});

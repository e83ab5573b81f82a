import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { PRIVATE_ADDRESSES, SPELLINGS_OF_PRIVATE } from "../../domain/webhooks/privateAddresses.js";
import { describeOnForms, USUAL_FORMS } from "../../support/databases.js";
import { LiveBed, type LiveServer, NEWS, OTHER } from "../../support/liveServers.js";
import { change, makeWebhook, showWebhook } from "./administration.js";

const URL_OF_MINE = "https://receiver.example/hook";

await describeOnForms("administration of webhooks", USUAL_FORMS, (form) => {
  let bed: LiveBed;
  let server: LiveServer;
  let newsAdmin: string;

  beforeAll(async () => {
    bed = await LiveBed.prepare(form);
    server = await bed.start();
    newsAdmin = (await server.makeToken("ADMIN", [NEWS])).secret;
  });
  afterAll(() => bed.close());
  afterEach(async () => {
    const { data } = await server.ask("{ webhooks { id } }");
    for (const { id } of data.webhooks) await change(server, "deleteWebhook", { id });
  });

  const fieldsOf = (answer: { fieldErrors?: { field: string }[] }) =>
    answer.fieldErrors?.map(({ field }) => field);

  it("shows a webhook as it was made, and its secret only once", async () => {
    const made = await change(server, "createWebhook", {
      url: URL_OF_MINE,
      eventTypes: ["MEMBER_STAYED", "MEMBER_JOINED", "MEMBER_JOINED"],
      channelIds: [String(NEWS)],
      holdSeconds: 60,
    });
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(made.webhook).toMatchObject({
      url: URL_OF_MINE,
      format: "STANDARD",
      eventTypes: ["MEMBER_STAYED", "MEMBER_JOINED"],
      channelIds: [NEWS],
      holdSeconds: 60,
      isEnabled: true,
      disabledReason: null,
    });
    const { data } = await server.ask("{ webhooks { id url } }");
    expect(data.webhooks).toEqual([{ id: made.webhook.id, url: URL_OF_MINE }]);
    const secret = made.secret.slice(6, 30);
    expect(JSON.stringify(server.log)).not.toContain(secret);
  });

  it("refuses settings that contradict each other", async () => {
    const create = (input: object) =>
      change(server, "createWebhook", { url: URL_OF_MINE, eventTypes: ["MEMBER_JOINED"], ...input });
    expect(fieldsOf(await create({ eventTypes: [] }))).toEqual(["eventTypes"]);
    expect(fieldsOf(await create({ channelIds: [] }))).toEqual(["channelIds"]);
    expect(fieldsOf(await create({ holdSeconds: 5 }))).toEqual(["holdSeconds"]);
    expect(fieldsOf(await create({ eventTypes: ["MEMBER_STAYED"] }))).toEqual(["holdSeconds"]);
    for (const holdSeconds of [-1, 2_592_001])
      expect(fieldsOf(await create({ eventTypes: ["MEMBER_STAYED"], holdSeconds }))).toEqual(["holdSeconds"]);
    expect(fieldsOf(await create({ url: "http://receiver.example" }))).toEqual(["url"]);
    expect(fieldsOf(await create({ url: `${URL_OF_MINE}?a={x}`, format: "POSTBACK" }))).toEqual(["url"]);
    const { id } = await makeWebhook(server, URL_OF_MINE, ["MEMBER_STAYED"], { holdSeconds: 0 });
    const update = (input: object) => change(server, "updateWebhook", { id, ...input });
    expect(fieldsOf(await update({ eventTypes: ["MEMBER_JOINED"] }))).toEqual(["holdSeconds"]);
    expect(fieldsOf(await update({ holdSeconds: null }))).toEqual(["holdSeconds"]);
    for (const field of ["url", "eventTypes", "isEnabled"])
      expect(fieldsOf(await update({ [field]: null }))).toEqual([field]);
    const changed = await update({ eventTypes: ["LINK_CREATED"], holdSeconds: null, channelIds: null });
    expect(changed.webhook).toMatchObject({
      eventTypes: ["LINK_CREATED"],
      holdSeconds: null,
      channelIds: null,
    });
  });

  it("refuses private addresses in every spelling", async () => {
    const literals = PRIVATE_ADDRESSES.filter((address) => !address.includes(" ")).map((address) =>
      address.includes(":") ? `[${address}]` : address,
    );
    for (const host of [...SPELLINGS_OF_PRIVATE, ...literals]) {
      const answer = await change(server, "createWebhook", {
        url: `https://${host}/`,
        eventTypes: ["MEMBER_JOINED"],
      });
      expect({ host, typename: answer.__typename }).toEqual({ host, typename: "ValidationError" });
    }
  });

  it("is for administrators, and shows a limited one only webhooks of channels of its own", async () => {
    for (const role of ["VIEWER", "EDITOR"]) {
      const { secret } = await server.makeToken(role, null);
      expect((await server.ask("{ webhooks { id } }", {}, secret)).errors?.[0]?.extensions.code).toBe(
        "FORBIDDEN",
      );
      const input = { url: URL_OF_MINE, eventTypes: ["MEMBER_JOINED"] };
      expect((await change(server, "createWebhook", input, secret)).__typename).toBe("ForbiddenError");
      expect((await change(server, "deleteWebhook", { id: "x" }, secret)).__typename).toBe("ForbiddenError");
    }
    const ofAll = await makeWebhook(server, URL_OF_MINE, ["MEMBER_JOINED"]);
    const ofBoth = await makeWebhook(server, URL_OF_MINE, ["MEMBER_JOINED"], { channelIds: [NEWS, OTHER] });
    const ofNews = await makeWebhook(server, URL_OF_MINE, ["LINK_CREATED"], { channelIds: [NEWS] });
    const { data } = await server.ask("{ webhooks { id } }", {}, newsAdmin);
    expect(data.webhooks).toEqual([{ id: ofNews.id }]);
    for (const { id } of [ofAll, ofBoth]) {
      const node = await server.ask("query ($id: ID!) { node(id: $id) { id } }", { id }, newsAdmin);
      expect(node.data.node).toBeNull();
      expect((await change(server, "updateWebhook", { id, isEnabled: false }, newsAdmin)).__typename).toBe(
        "NotFoundError",
      );
      expect((await change(server, "deleteWebhook", { id }, newsAdmin)).__typename).toBe("NotFoundError");
    }
    for (const channelIds of [null, [OTHER], [NEWS, OTHER]]) {
      const input = { url: URL_OF_MINE, eventTypes: ["MEMBER_JOINED"], channelIds };
      expect((await change(server, "createWebhook", input, newsAdmin)).__typename).toBe("ForbiddenError");
      const moved = await change(server, "updateWebhook", { id: ofNews.id, channelIds }, newsAdmin);
      expect(moved.__typename).toBe("ForbiddenError");
    }
    const own = { url: URL_OF_MINE, eventTypes: ["MEMBER_JOINED"], channelIds: [NEWS] };
    expect((await change(server, "createWebhook", own, newsAdmin)).__typename).toBe("CreateWebhookSuccess");
  });

  it("lists and redelivers deliveries only for those who may see the webhook", async () => {
    const { id } = await makeWebhook(server, URL_OF_MINE, ["LINK_CREATED"], { channelIds: [OTHER] });
    await server.makeLink(OTHER);
    await server.makeLink(OTHER);
    const { nodes, totalCount } = (await showWebhook(server, id)).deliveries;
    expect({ states: nodes.map(({ state }) => state), totalCount }).toEqual({
      states: ["WAITING", "WAITING"],
      totalCount: 2,
    });
    const deliveryIds = nodes.map((node) => node.id);
    expect((await change(server, "redeliver", { deliveryIds }, newsAdmin)).__typename).toBe("NotFoundError");
    const node = await server.ask(
      "query ($id: ID!) { node(id: $id) { id } }",
      { id: deliveryIds[0] },
      newsAdmin,
    );
    expect(node.data.node).toBeNull();
    expect((await change(server, "redeliver", { deliveryIds })).deliveries).toHaveLength(2);
    expect((await change(server, "redeliver", { deliveryIds: [] })).__typename).toBe("ValidationError");
    const tooMany = Array.from({ length: 101 }, () => deliveryIds[0]);
    expect((await change(server, "redeliver", { deliveryIds: tooMany })).__typename).toBe("ValidationError");
    const other = await makeWebhook(server, URL_OF_MINE, ["LINK_CREATED"], { channelIds: [OTHER] });
    await server.makeLink(OTHER);
    const [foreign] = (await showWebhook(server, other.id)).deliveries.nodes;
    const mixed = await change(server, "redeliver", { deliveryIds: [deliveryIds[0], foreign?.id] });
    expect(fieldsOf(mixed)).toEqual(["deliveryIds"]);
  });

  it("pages through deliveries, by state too", async () => {
    const { id } = await makeWebhook(server, URL_OF_MINE, ["LINK_CREATED"]);
    for (let count = 0; count < 5; count += 1) await server.makeLink(NEWS);
    const all = (await showWebhook(server, id)).deliveries.nodes.map((node) => node.id);
    expect(all).toHaveLength(5);
    const { data } = await server.ask(
      `query ($id: ID!) { node(id: $id) { ... on Webhook {
        first: deliveries(first: 2) { nodes { id } pageInfo { endCursor hasNextPage } }
        last: deliveries(last: 2) { nodes { id } pageInfo { hasPreviousPage } }
        waiting: deliveries(states: [WAITING], first: 3) { nodes { id } totalCount }
        failed: deliveries(states: [FAILED, DELIVERED]) { nodes { id } totalCount }
        none: deliveries(states: []) { totalCount }
      } } }`,
      { id },
    );
    const { first, last, waiting, failed, none } = data.node;
    const idsOf = (page: { nodes: { id: string }[] }) => page.nodes.map((node) => node.id);
    expect([idsOf(first), idsOf(last), idsOf(waiting)]).toEqual([
      all.slice(0, 2),
      all.slice(3),
      all.slice(0, 3),
    ]);
    expect([first.pageInfo.hasNextPage, last.pageInfo.hasPreviousPage]).toEqual([true, true]);
    expect([waiting.totalCount, failed.totalCount, none.totalCount]).toEqual([5, 0, 0]);
    const next = await showWebhook(server, id, `first: 2, after: "${first.pageInfo.endCursor}"`);
    expect(next.deliveries.nodes.map((node) => node.id)).toEqual(all.slice(2, 4));
  });
});

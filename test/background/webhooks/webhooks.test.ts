import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { ALL_FORMS, describeOnForms } from "../../support/databases.js";
import { LiveBed, type LiveServer, NEWS, OTHER } from "../../support/liveServers.js";
import { change, makeWebhook, showWebhook } from "./administration.js";
import { isSigned, Receiver, until } from "./receiver.js";

const ALL_TYPES = [
  "MEMBER_JOINED",
  "MEMBER_LEFT",
  "JOIN_REQUESTED",
  "LINK_CREATED",
  "LINK_UPDATED",
  "LINK_REVOKED",
  "BOT_STATUS_CHANGED",
];

await describeOnForms("webhooks", ALL_FORMS, (form) => {
  let bed: LiveBed;
  let server: LiveServer;
  let receiver: Receiver;

  beforeAll(async () => {
    bed = await LiveBed.prepare(form);
    server = await bed.start(0, { webhookAllowPrivate: true });
  });
  afterAll(() => bed.close());
  beforeEach(async () => {
    receiver = await Receiver.listen();
  });
  afterEach(async () => {
    const { data } = await server.ask("{ webhooks { id } }");
    for (const { id } of data.webhooks) await change(server, "deleteWebhook", { id });
    await receiver.close();
  });

  it("tell of a join and a leave with signatures that another program verifies", async () => {
    const link = await server.makeLink(NEWS, { name: "Läufer & Co", externalId: "x-1", budget: "12.50" });
    const { secret } = await makeWebhook(server, receiver.url, ["MEMBER_JOINED", "MEMBER_LEFT"]);
    const person = bed.newPerson();
    bed.telegram.control.join(NEWS, person, { url: link.url });
    await receiver.got(1);
    bed.telegram.control.leave(NEWS, person.id);
    const [joined, left] = await receiver.got(2);
    expect(joined).toMatchObject({
      method: "POST",
      path: "/hook",
      headers: { "content-type": "application/json" },
    });
    const { data } = await server.ask(
      `{ memberEvents(channelId: "${NEWS}", first: 2) { nodes { id kind occurredAt } } }`,
    );
    const [leaveEvent, joinEvent] = data.memberEvents.nodes;
    const inviteLink = {
      id: link.id,
      name: "Läufer & Co",
      url: link.url,
      externalId: "x-1",
      budget: "12.50",
      tags: [],
    };
    expect(joined?.body).toEqual({
      type: "member.joined",
      id: joinEvent.id,
      occurredAt: joinEvent.occurredAt,
      channelId: NEWS,
      data: { userId: person.id, path: "INVITE_LINK", attribution: "EXACT", isRejoin: false, inviteLink },
    });
    expect(left?.body).toMatchObject({
      type: "member.left",
      id: leaveEvent.id,
      data: { userId: person.id, isRemoval: false, inviteLink },
    });
    for (const request of [joined, left]) expect(request && isSigned(request, secret)).toBe(true);
    expect(joined && isSigned({ ...joined, text: `${joined.text} ` }, secret)).toBe(false);
    const ids = [joined, left].map((request) => request?.headers["webhook-id"]);
    expect(new Set(ids).size).toBe(2);
    expect(
      (
        await showWebhook(server, (await server.ask("{ webhooks { id } }")).data.webhooks[0].id)
      ).deliveries.nodes.map(({ id }) => id),
    ).toEqual(ids.reverse());
  });

  it("tell of links, of join requests and of the bot", async () => {
    await makeWebhook(server, receiver.url, ALL_TYPES, { channelIds: [NEWS] });
    const link = await server.makeLink(NEWS, { createsJoinRequest: true });
    await server.makeLink(OTHER);
    await receiver.got(1);
    await server.ask(
      `mutation { updateInviteLink(input: { id: "${link.id}", name: "B", budget: "3" }) { __typename } }`,
    );
    await receiver.got(2);
    const person = bed.newPerson();
    bed.telegram.control.join(NEWS, person, { url: link.url });
    await receiver.got(3);
    await server.ask(`mutation { revokeInviteLink(input: { id: "${link.id}" }) { __typename } }`);
    await receiver.got(4);
    bed.telegram.control.setBot(NEWS, { status: "left" } as never);
    const received = await receiver.got(5);
    expect(receiver.types).toEqual([
      "link.created",
      "link.updated",
      "join.requested",
      "link.revoked",
      "bot.status_changed",
    ]);
    const [created, updated, requested, revoked, bot] = received.map(({ body }) => body);
    expect(created.data.inviteLink).toMatchObject({ id: link.id, name: "A link", budget: "0.00" });
    expect(updated.data.inviteLink).toMatchObject({ id: link.id, name: "B", budget: "3.00" });
    expect(requested.data).toEqual({
      userId: person.id,
      inviteLink: expect.objectContaining({ id: link.id, name: "B" }),
    });
    expect(revoked.data.inviteLink.id).toBe(link.id);
    expect(bot).toMatchObject({ channelId: NEWS, data: { botStatus: "NOT_IN_CHANNEL" } });
    expect(Buffer.from(bot.id, "base64").toString()).toMatch(/^AuditEntry:/);
    bed.telegram.control.setBot(NEWS, { status: "administrator", can_invite_users: true } as never);
    await receiver.got(6);
  });

  it("tell of a link's tags as they are after each change", async () => {
    const mutate = async (mutation: string) => {
      const { data, errors } = await server.ask(`mutation { result: ${mutation} }`);
      if (errors) throw new Error(JSON.stringify(errors));
      return data.result;
    };
    // The channel is connected with its first link.
    await server.makeLink(NEWS);
    const name = `Type ${receiver.port}`;
    const { tagType } = await mutate(
      `createTagType(input: { name: "${name}" }) { ... on CreateTagTypeSuccess { tagType { id } } }`,
    );
    const { tag } = await mutate(
      `createTag(input: { channelId: "${NEWS}", name: "Mine", color: "#00FF00", tagTypeId: "${tagType.id}" }) {
        ... on CreateTagSuccess { tag { id } }
      }`,
    );
    await makeWebhook(server, receiver.url, ["LINK_CREATED", "LINK_UPDATED"]);
    const made = await change(server, "createWebhook", {
      url: `${receiver.url}?t={tag:${name}}&e={event}`,
      format: "POSTBACK",
      eventTypes: ["LINK_UPDATED"],
    });
    expect(made.webhook).toBeDefined();
    const link = await server.makeLink(NEWS);
    await mutate(
      `setInviteLinkTags(input: { ids: ["${link.id}"], addTagIds: ["${tag.id}"], removeTagIds: [] }) { __typename }`,
    );
    await receiver.got(3);
    await mutate(`deleteTag(input: { id: "${tag.id}" }) { __typename }`);
    const received = await receiver.got(5);
    const bodies = received.filter(({ method }) => method === "POST").map(({ body }) => body);
    expect(bodies.map(({ type, data }) => [type, data.inviteLink.tags])).toEqual([
      ["link.created", []],
      ["link.updated", [{ id: tag.id, name: "Mine", type: { id: tagType.id, name } }]],
      ["link.updated", []],
    ]);
    const paths = received.filter(({ method }) => method === "GET").map(({ path }) => path);
    expect(paths).toEqual(["/hook?t=Mine&e=link.updated", "/hook?t=&e=link.updated"]);
  });

  it("are called with the macros filled in and percent-encoded", async () => {
    const link = await server.makeLink(NEWS, { name: "a&b=ä {x}", externalId: "e/1" });
    const macros =
      "e={event}&i={event_id}&u={user_id}&c={channel_id}&n={link_name}&x={external_id}&b={budget}&l={link_url}&t={occurred_unix}";
    const made = await change(server, "createWebhook", {
      url: `${receiver.url}?${macros}`,
      format: "POSTBACK",
      eventTypes: ["MEMBER_JOINED"],
    });
    expect(made.secret).toBeNull();
    const person = bed.newPerson();
    bed.telegram.control.join(NEWS, person, { url: link.url });
    const [request] = await receiver.got(1);
    expect(request).toMatchObject({ method: "GET", text: "" });
    const query = new URL(`http://x${request?.path}`).searchParams;
    expect(Object.fromEntries(query)).toMatchObject({
      e: "member.joined",
      u: String(person.id),
      c: String(NEWS),
      n: "a&b=ä {x}",
      x: "e/1",
      b: "0.00",
      l: link.url,
    });
    expect(request?.path).toContain("n=a%26b%3D%C3%A4%20%7Bx%7D");
  });

  it("are tried again with the same id and the same bytes after a failure", async () => {
    const { id, secret } = await makeWebhook(server, receiver.url, ["LINK_CREATED"]);
    receiver.next.push(500);
    const link = await server.makeLink(NEWS);
    await receiver.got(1);
    await until(async () => (await showWebhook(server, id)).deliveries.nodes[0]?.status === 500);
    const [waiting] = (await showWebhook(server, id)).deliveries.nodes;
    expect(waiting).toMatchObject({ state: "WAITING", attemptCount: 1, error: "The receiver answered 500." });
    await server.ask(
      `mutation { updateInviteLink(input: { id: "${link.id}", budget: "3" }) { __typename } }`,
    );
    const [first, second] = await receiver.got(2);
    expect(second?.text).toBe(first?.text);
    expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    expect(second && isSigned(second, secret)).toBe(true);
    expect(Number(second?.headers["webhook-timestamp"])).toBeGreaterThanOrEqual(
      Number(first?.headers["webhook-timestamp"]) + 5,
    );
    await until(async () => (await showWebhook(server, id)).deliveries.nodes[0]?.state === "DELIVERED");
  });

  it("are disabled at once by 410, with an audit entry by the server", async () => {
    const { id } = await makeWebhook(server, receiver.url, ["LINK_CREATED"]);
    receiver.usual = 410;
    await server.makeLink(NEWS);
    await until(async () => !(await showWebhook(server, id)).isEnabled);
    expect(await showWebhook(server, id)).toMatchObject({
      disabledReason: "The receiver answered 410 (Gone).",
    });
    await server.makeLink(NEWS);
    const on = await change(server, "updateWebhook", { id, isEnabled: true });
    expect(on.webhook).toMatchObject({ isEnabled: true, disabledReason: null });
    expect(receiver.received).toHaveLength(1);
  });

  it("do not follow redirects", async () => {
    const { id } = await makeWebhook(server, receiver.url, ["LINK_CREATED"]);
    receiver.next.push((_request, response) => response.writeHead(302, { location: receiver.url }).end());
    await server.makeLink(NEWS);
    await until(async () => (await showWebhook(server, id)).deliveries.nodes[0]?.status === 302);
    expect(receiver.received).toHaveLength(1);
  });

  it("can be sent again by hand", async () => {
    const { id } = await makeWebhook(server, receiver.url, ["LINK_CREATED"]);
    await server.makeLink(NEWS);
    await receiver.got(1);
    await until(async () => (await showWebhook(server, id)).deliveries.nodes[0]?.state === "DELIVERED");
    const [delivered] = (await showWebhook(server, id)).deliveries.nodes;
    const again = await change(server, "redeliver", { deliveryIds: [delivered?.id] });
    // It may be sent before the answer is read.
    expect(again.deliveries).toMatchObject([{ id: delivered?.id }]);
    const [first, second] = await receiver.got(2);
    expect(second?.text).toBe(first?.text);
    expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  });

  it("tell of a member who stayed, and not of one who left before", async () => {
    await makeWebhook(server, receiver.url, ["MEMBER_STAYED"], { holdSeconds: 2 });
    const [stays, leaves] = [bed.newPerson(), bed.newPerson()];
    bed.telegram.control.join(NEWS, leaves);
    bed.telegram.control.leave(NEWS, leaves.id);
    bed.telegram.control.join(NEWS, stays);
    const [told] = await receiver.got(1);
    expect(told?.body).toMatchObject({ type: "member.stayed", data: { userId: stays.id } });
    const [webhook] = (await server.ask("{ webhooks { id } }")).data.webhooks;
    await until(async () => {
      const { nodes } = (await showWebhook(server, webhook.id)).deliveries;
      return nodes.length === 1 && nodes[0]?.state === "DELIVERED";
    });
  });

  it("say nothing of a person who was erased while the delivery waited", async () => {
    await makeWebhook(server, receiver.url, ["MEMBER_JOINED"]);
    receiver.next.push(500);
    const person = bed.newPerson();
    const link = await server.makeLink(NEWS);
    bed.telegram.control.join(NEWS, person, { url: link.url });
    await receiver.got(1);
    await server.ask(`mutation { eraseMember(input: { userId: "${person.id}" }) { __typename } }`);
    const [first, second] = await receiver.got(2);
    expect(first?.body.data.userId).toBe(person.id);
    expect(second?.body).toEqual({ ...first?.body, data: {} });
  });
});

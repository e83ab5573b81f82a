import { afterAll, beforeAll, expect, test } from "vitest";
import { describeOnForms, USUAL_FORMS } from "../../support/databases.js";
import { startTestServer, type TestServer } from "../../support/server.js";
import { EventReader } from "./subscriptionServer.js";

const CHAT = -1001234567890;

await describeOnForms("live subscriptions", USUAL_FORMS, (form) => {
  let server: TestServer;
  let nextUser = 1;

  beforeAll(async () => {
    server = await startTestServer({}, form);
  });
  afterAll(async () => {
    await server?.stop();
  });

  const newUser = () => {
    nextUser += 1;
    return { id: nextUser, is_bot: false, first_name: "Somebody" };
  };
  const linkOf = (index: number) => {
    const link = server.sandbox.control
      .links(CHAT)
      .filter(({ isRevoked, createsJoinRequest }) => !isRevoked && !createsJoinRequest)[index];
    if (!link) throw new TypeError("The sample has too few links.");
    return link;
  };

  async function subscribe(query: string, headers: Record<string, string> = {}, token = server.token) {
    const abort = new AbortController();
    const response = await fetch(server.url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "text/event-stream",
        ...headers,
      },
      body: JSON.stringify({ query }),
      signal: abort.signal,
    });
    return { reader: new EventReader(response), status: response.status, close: () => abort.abort() };
  }

  const events = (args = "") =>
    `subscription { memberEvents(channelId: ${CHAT}${args}) { id kind userId inviteLink { url } } }`;

  test("a subscription gets each join and leave once, in the order in which they are stored", async () => {
    const { reader, close } = await subscribe(events());
    const user = newUser();
    const { url } = linkOf(0);
    server.sandbox.control.join(CHAT, user, { url });
    const joined = await reader.next();
    expect(joined?.data.data.memberEvents).toMatchObject({
      kind: "JOINED",
      userId: user.id,
      inviteLink: { url },
    });
    server.sandbox.control.leave(CHAT, user.id);
    const left = await reader.next();
    expect(left?.data.data.memberEvents).toMatchObject({
      kind: "LEFT",
      userId: user.id,
      inviteLink: { url },
    });
    close();
  });

  test("a subscription of one link gets only that link's events", async () => {
    const [first, second] = [linkOf(0), linkOf(1)];
    const found = await server.ask(`{ inviteLinks(channelId: ${CHAT}, first: 100) { nodes { id url } } }`);
    const id = found.data.inviteLinks.nodes.find(({ url }: { url: string }) => url === second.url).id;
    const { reader, close } = await subscribe(events(`, inviteLinkId: "${id}"`));
    server.sandbox.control.join(CHAT, newUser(), { url: first.url });
    const user = newUser();
    server.sandbox.control.join(CHAT, user, { url: second.url });
    expect((await reader.next())?.data.data.memberEvents.userId).toBe(user.id);
    close();
  });

  test("a client that reconnects with Last-Event-ID gets every event since, and the header goes before the argument", async () => {
    const { reader, close } = await subscribe(events());
    const { url } = linkOf(0);
    const people = Array.from({ length: 5 }, newUser);
    const [seen, ...missed] = people;
    if (!seen) throw new TypeError("There is nobody.");
    server.sandbox.control.join(CHAT, seen, { url });
    const first = await reader.next();
    const lastId = first?.data.data.memberEvents.id;
    expect(first?.id).toBe(lastId);
    close();
    for (const user of missed) server.sandbox.control.join(CHAT, user, { url });
    const again = await subscribe(events(', after: "ignored"'), { "last-event-id": lastId });
    const userIds: number[] = [];
    for (const _ of missed) userIds.push((await again.reader.next())?.data.data.memberEvents.userId);
    expect(userIds).toEqual(missed.map(({ id }) => id));
    again.close();
  });

  test.each([
    ["text", "nothing"],
    ["an event of no channel", "TWVtYmVyRXZlbnQ6MDE5OTEwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAx"],
  ])("an `after` that is %s is BAD_USER_INPUT", async (_title, after) => {
    const { reader } = await subscribe(events(`, after: "${after}"`));
    const answer = await reader.next();
    expect(answer?.data.errors[0].extensions.code).toBe("BAD_USER_INPUT");
  });

  test("a token without the channel is refused", async () => {
    const token = await server.makeToken({ role: "VIEWER", channelIds: [-1009876543210] });
    const { reader } = await subscribe(events(), {}, token);
    expect((await reader.next())?.data.errors[0].extensions.code).toBe("FORBIDDEN");
  });

  test("inviteLinkUpdated sends a link whose numbers or settings changed, with its last state", async () => {
    const { reader, close } = await subscribe(
      `subscription { inviteLinkUpdated(channelId: ${CHAT}) { id url budget stats { joinCount } } }`,
    );
    const { url } = linkOf(2);
    for (let count = 0; count < 5; count += 1) server.sandbox.control.join(CHAT, newUser(), { url });
    const read = async () => {
      const event = await reader.next();
      return event?.data.data.inviteLinkUpdated;
    };
    const before = await server.ask(
      `{ inviteLinks(channelId: ${CHAT}, first: 100) { nodes { id url stats { joinCount } } } }`,
    );
    const known = before.data.inviteLinks.nodes.find((link: { url: string }) => link.url === url);
    let link = await read();
    expect(link.url).toBe(url);
    const counts = async () => {
      const now = await server.ask(`{ inviteLink(id: "${known.id}") { stats { joinCount } } }`);
      return now.data.inviteLink.stats.joinCount;
    };
    while (link.stats.joinCount !== (await counts())) link = await read();
    await server.ask(
      `mutation { updateInviteLink(input: { id: "${known.id}", budget: "77.00" }) { __typename } }`,
    );
    while (link.budget !== "77.00") link = await read();
    expect(link.url).toBe(url);
    close();
  });
});

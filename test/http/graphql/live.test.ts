import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { describeOnForms } from "../../support/databases.js";
import { LiveBed, type LiveServer, NEWS, type OpenStream, OTHER, TALK } from "../../support/liveServers.js";

const COMPLETE = { event: "complete", data: null };
const NO_EVENT = "TWVtYmVyRXZlbnQ6MDE5OTEwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAx";

const events = (args = "", chatId = NEWS) =>
  `subscription { memberEvents(channelId: ${chatId}${args}) { id kind channelId userId inviteLink { id url } } }`;
const links = (chatId = NEWS) => `subscription {
  inviteLinkUpdated(channelId: ${chatId}) {
    id name budget isRevoked tags { name } stats { joinCount activeCount pendingJoinRequestCount }
  }
}`;

async function nextEvent({ reader }: OpenStream) {
  const event = await reader.next();
  if (!event?.data?.data) throw new Error(`There is no event, but ${JSON.stringify(event)}.`);
  return event.data.data.memberEvents;
}

async function nextLink({ reader }: OpenStream) {
  const event = await reader.next();
  if (!event?.data?.data) throw new Error(`There is no link, but ${JSON.stringify(event)}.`);
  return event.data.data.inviteLinkUpdated;
}

/** The ids of all stored events of a channel, in the order in which they were stored. */
async function storedIds(server: LiveServer, chatId = NEWS): Promise<string[]> {
  const ids: string[] = [];
  let before: string | null = null;
  for (;;) {
    const {
      data,
    }: {
      data: {
        memberEvents: {
          nodes: { id: string }[];
          pageInfo: { startCursor: string | null; hasPreviousPage: boolean };
        };
      };
    } = await server.ask(
      `query ($before: String) {
          memberEvents(channelId: ${chatId}, last: 100, before: $before) {
            nodes { id } pageInfo { startCursor hasPreviousPage }
          }
        }`,
      { before },
    );
    ids.push(...data.memberEvents.nodes.map(({ id }) => id).reverse());
    if (!data.memberEvents.pageInfo.hasPreviousPage) return ids;
    before = data.memberEvents.pageInfo.startCursor;
  }
}

await describeOnForms("live subscriptions", ["embedded", "server"], (form) => {
  let bed: LiveBed;
  let server: LiveServer;
  let link: { id: string; url: string };

  beforeAll(async () => {
    bed = await LiveBed.prepare(form);
    server = await bed.start();
    for (const chat of [NEWS, OTHER, TALK])
      await server.ask(`mutation { connectChannel(input: { chat: "${chat}" }) { __typename } }`);
    link = await server.makeLink(NEWS);
  });
  afterAll(() => bed?.close());

  const join = (url = link.url, chatId = NEWS) => {
    const person = bed.newPerson();
    bed.telegram.control.join(chatId, person, { url });
    return person.id;
  };
  const errorOf = async (stream: OpenStream) => {
    const all = await stream.reader.rest();
    expect(all.map(({ event }) => event)).toEqual(["next", "complete"]);
    expect(all[0]?.data).not.toHaveProperty("data");
    return all[0]?.data.errors[0].extensions.code;
  };

  test("a subscription gets each join and leave once, and each has its global id as the id of its message", async () => {
    const stream = await server.subscribe(events());
    const userId = join();
    const joined = await stream.reader.next();
    expect(joined).toEqual({
      event: "next",
      id: expect.any(String),
      data: {
        data: { memberEvents: { id: joined?.id, kind: "JOINED", channelId: NEWS, userId, inviteLink: link } },
      },
    });
    bed.telegram.control.leave(NEWS, userId);
    const left = await nextEvent(stream);
    expect(left).toMatchObject({ kind: "LEFT", userId, inviteLink: link });
    const { data } = await server.ask(`query ($id: ID!) { node(id: $id) { id __typename } }`, {
      id: left.id,
    });
    expect(data.node).toEqual({ id: left.id, __typename: "MemberEvent" });
    stream.close();
  });

  test("a subscription can be asked for by GET, and then resumes by Last-Event-ID too", async () => {
    const stream = await server.subscribe(events(), { method: "GET" });
    const first = join();
    expect((await nextEvent(stream)).userId).toBe(first);
    const [seen] = (await storedIds(server)).slice(-1);
    stream.close();
    const missed = [join(), join()];
    const again = await server.subscribe(events(), { method: "GET", lastEventId: seen ?? "" });
    expect([(await nextEvent(again)).userId, (await nextEvent(again)).userId]).toEqual(missed);
    again.close();
  });

  test("a subscription of one link gets only that link's events, and its id may be a bare UUID", async () => {
    const other = await server.makeLink(NEWS);
    const uuid = Buffer.from(other.id, "base64").toString().split(":")[1];
    const streams = [
      await server.subscribe(events(`, inviteLinkId: "${other.id}"`)),
      await server.subscribe(events(`, inviteLinkId: "${uuid}"`)),
    ];
    join();
    const userId = join(other.url);
    for (const stream of streams) {
      expect((await nextEvent(stream)).userId).toBe(userId);
      stream.close();
    }
  });

  test("a client that reconnects gets every event since, and Last-Event-ID goes before `after`", async () => {
    const stream = await server.subscribe(events());
    join();
    const first = await stream.reader.next();
    expect(first?.id).toBe(first?.data.data.memberEvents.id);
    join();
    const second = (await nextEvent(stream)).id;
    stream.close();
    const missed = [join(), join(), join()];
    const byHeader = await server.subscribe(events(`, after: "${first?.id}"`), { lastEventId: second });
    for (const userId of missed) expect((await nextEvent(byHeader)).userId).toBe(userId);
    byHeader.close();
    const ignored = await server.subscribe(events(', after: "nothing"'), { lastEventId: second });
    expect((await nextEvent(ignored)).userId).toBe(missed[0]);
    ignored.close();
    const byArgument = await server.subscribe(events(`, after: "${second}"`));
    for (const userId of missed) expect((await nextEvent(byArgument)).userId).toBe(userId);
    byArgument.close();
  });

  test("a client that is disconnected at random gets every event exactly once and in order", async () => {
    const start = await server.subscribe(events());
    join();
    let last: string = (await nextEvent(start)).id;
    start.close();
    const before = (await storedIds(server)).indexOf(last);
    const people = 60;
    let joined = 0;
    const storing = (async () => {
      for (; joined < people; joined += 1) {
        const userId = join();
        if (joined % 3 === 0) bed.telegram.control.leave(NEWS, userId);
        await delay(Math.random() * 20);
      }
    })();
    const received: string[] = [];
    const expected = people + people / 3;
    while (received.length < expected) {
      const stream = await server.subscribe(events(), { lastEventId: last });
      const reads = Math.min(expected - received.length, Math.floor(Math.random() * 8));
      for (let read = 0; read < reads; read += 1) {
        last = (await nextEvent(stream)).id;
        received.push(last);
      }
      stream.close();
    }
    await storing;
    expect(received).toEqual((await storedIds(server)).slice(before + 1));
  });

  test.each([
    ["a text", "nothing", "BAD_USER_INPUT"],
    ["an event that is nowhere", NO_EVENT, "BAD_USER_INPUT"],
    ["the id of another type", "VGFnOjAxOTkxMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMQ==", "BAD_USER_INPUT"],
    ["an empty text", "", "BAD_USER_INPUT"],
  ])("an `after` that is %s is refused", async (_title, after, code) => {
    expect(await errorOf(await server.subscribe(events(`, after: "${after}"`)))).toBe(code);
    if (after !== "")
      expect(await errorOf(await server.subscribe(events(), { lastEventId: after }))).toBe(code);
  });

  test("an `after` and a link of another channel are refused", async () => {
    const foreign = await server.makeLink(OTHER);
    const stream = await server.subscribe(events("", OTHER));
    join(foreign.url, OTHER);
    const { id } = await nextEvent(stream);
    stream.close();
    expect(await errorOf(await server.subscribe(events(`, after: "${id}"`)))).toBe("BAD_USER_INPUT");
    expect(await errorOf(await server.subscribe(events(`, inviteLinkId: "${foreign.id}"`)))).toBe(
      "BAD_USER_INPUT",
    );
    expect(await errorOf(await server.subscribe(events(', inviteLinkId: "nothing"')))).toBe("BAD_USER_INPUT");
  });

  test("a token without the channel is refused by both subscriptions, whether or not the channel exists", async () => {
    const { secret: token } = await server.makeToken("VIEWER", [OTHER]);
    expect(await errorOf(await server.subscribe(events(), { token }))).toBe("FORBIDDEN");
    expect(await errorOf(await server.subscribe(links(), { token }))).toBe("FORBIDDEN");
    expect(await errorOf(await server.subscribe(events("", -1009999999999), { token }))).toBe("FORBIDDEN");
  });

  test("a subscription is 406 without text/event-stream in Accept, and a query over an event stream is one result", async () => {
    const { response } = await server.subscribe(events(), { accept: "application/json" });
    expect(response.status).toBe(406);
    const { reader } = await server.subscribe("{ viewer { role } }");
    expect(await reader.rest()).toEqual([
      { event: "next", data: { data: { viewer: { role: "ADMIN" } } } },
      COMPLETE,
    ]);
  });

  test("a subscription to a chat that is not known yet gets its first events and links", async () => {
    const chat = bed.telegram.control.addChat({ id: -1004444444444, type: "channel", title: "Later" });
    const stream = await server.subscribe(events("", chat));
    const changes = await server.subscribe(links(chat));
    const person = bed.newPerson();
    bed.telegram.control.join(chat, person);
    expect(await nextEvent(stream)).toMatchObject({ userId: person.id, channelId: chat, inviteLink: null });
    await server.ask(`mutation { connectChannel(input: { chat: "${chat}" }) { __typename } }`);
    const made = await server.makeLink(chat);
    expect((await nextLink(changes)).id).toBe(made.id);
    stream.close();
    changes.close();
  });

  test.each(["memberEvents", "inviteLinkUpdated"])(
    "%s ends with UNAUTHENTICATED when its token is revoked",
    async (field) => {
      const query = field === "memberEvents" ? events() : links();
      const revoked = await server.makeToken("VIEWER", [NEWS]);
      const stream = await server.subscribe(query, { token: revoked.secret });
      await server.ask(`mutation { revokeApiToken(input: { id: "${revoked.id}" }) { __typename } }`);
      expect(await errorOf(stream)).toBe("UNAUTHENTICATED");
    },
  );

  test("inviteLinkUpdated tells of links that are created, changed and revoked, in any script", async () => {
    const stream = await server.subscribe(links());
    const made = await server.makeLink(NEWS, { name: "Новый год ☕", budget: "5.00" });
    const untilThat = async (
      isReached: (link: { name: string; budget: string; isRevoked: boolean }) => boolean,
    ) => {
      for (;;) {
        const told = await nextLink(stream);
        if (told.id === made.id && isReached(told)) return told;
      }
    };
    expect(await untilThat(() => true)).toMatchObject({
      name: "Новый год ☕",
      budget: "5.00",
      isRevoked: false,
    });
    await server.ask(
      `mutation { updateInviteLink(input: { id: "${made.id}", budget: "7.50" }) { __typename } }`,
    );
    await untilThat(({ budget }) => budget === "7.50");
    await server.ask(`mutation { revokeInviteLink(input: { id: "${made.id}" }) { __typename } }`);
    await untilThat(({ isRevoked }) => isRevoked);
    stream.close();
  });

  test("inviteLinkUpdated tells nothing of what happened before it, and of no other channel", async () => {
    await server.makeLink(NEWS);
    const others = await server.subscribe(links(OTHER));
    const stream = await server.subscribe(links());
    const foreign = await server.makeLink(OTHER);
    const made = await server.makeLink(NEWS);
    expect((await nextLink(stream)).id).toBe(made.id);
    expect((await nextLink(others)).id).toBe(foreign.id);
    stream.close();
    others.close();
  });

  test("inviteLinkUpdated tells of one link at most once a second, and the last numbers always", async () => {
    const counted = await server.makeLink(NEWS);
    const began = performance.now();
    const stream = await server.subscribe(links());
    const people = 40;
    const joining = (async () => {
      for (let count = 0; count < people; count += 1) {
        join(counted.url);
        await delay(50);
      }
    })();
    let messages = 0;
    for (let count = 0; count < people; messages += 1) count = (await nextLink(stream)).stats.joinCount;
    const seconds = (performance.now() - began) / 1000;
    await joining;
    // The first one comes at once.
    expect(messages).toBeLessThanOrEqual(1 + seconds);
    stream.close();
  });

  test("inviteLinkUpdated tells of a link whose request is gone because the person came by another link", async () => {
    const asking = await server.makeLink(NEWS, { createsJoinRequest: true });
    const stream = await server.subscribe(links());
    const person = bed.newPerson();
    const pendingOf = async (count: number) => {
      for (;;) {
        const told = await nextLink(stream);
        if (told.id === asking.id && told.stats.pendingJoinRequestCount === count) return;
      }
    };
    bed.telegram.control.join(NEWS, person, { url: asking.url });
    await pendingOf(1);
    bed.telegram.control.join(NEWS, person, { url: link.url });
    await pendingOf(0);
    stream.close();
  });

  test("subscriptions under the former id of a chat go on after its migration, and clients resume under it", async () => {
    const { secret: token } = await server.makeToken("VIEWER", [TALK]);
    const group = await server.makeLink(TALK);
    const streams = [
      await server.subscribe(events("", TALK)),
      await server.subscribe(events("", TALK), { token }),
    ];
    const changes = await server.subscribe(links(TALK));
    const inGroup = join(group.url, TALK);
    for (const stream of streams) expect((await nextEvent(stream)).userId).toBe(inGroup);
    const supergroup = bed.telegram.control.upgrade(TALK);
    // What comes from the supergroup before a call tells of the migration is of an unknown chat first.
    const early = bed.newPerson();
    bed.telegram.control.join(supergroup, early);
    const underNewId = await server.subscribe(events("", supergroup));
    await expect
      .poll(
        async () =>
          (await server.ask("{ channels(first: 100) { nodes { telegramId } } }")).data.channels.nodes,
      )
      .toContainEqual({ telegramId: supergroup });
    const made = await server.makeLink(TALK);
    const late = bed.newPerson();
    bed.telegram.control.join(supergroup, late, { url: made.url });
    const ids: string[] = [];
    for (const stream of streams) {
      expect(await nextEvent(stream)).toMatchObject({ userId: early.id, channelId: supergroup });
      const event = await nextEvent(stream);
      expect(event).toMatchObject({ userId: late.id, channelId: supergroup, inviteLink: { id: made.id } });
      ids.push(event.id);
      stream.close();
    }
    const told = await nextEvent(underNewId);
    // The subscription may have begun before or after the first event of the supergroup.
    if (told.userId === early.id) expect((await nextEvent(underNewId)).userId).toBe(late.id);
    else expect(told.userId).toBe(late.id);
    underNewId.close();
    let changed = await nextLink(changes);
    while (changed.id !== made.id) changed = await nextLink(changes);
    changes.close();
    // The whole history of the chat is one sequence under the new id, and clients resume under the former one.
    const resumed = await server.subscribe(events("", TALK), { lastEventId: ids[0] ?? "", token });
    const last = bed.newPerson();
    bed.telegram.control.join(supergroup, last);
    expect((await nextEvent(resumed)).userId).toBe(last.id);
    resumed.close();
    expect((await storedIds(server, supergroup)).length).toBe(4);
  });

  test("a person who was erased is not sent by the former id, however early a client resumes", async () => {
    const stream = await server.subscribe(events());
    join();
    const before = (await nextEvent(stream)).id;
    const userId = join();
    await nextEvent(stream);
    await delay(2500);
    await server.ask(`mutation { eraseMember(input: { userId: ${userId} }) { __typename } }`);
    const again = await server.subscribe(events(), { lastEventId: before });
    expect((await nextEvent(again)).userId).toBeLessThan(0);
    again.close();
    stream.close();
  });

  test("streams of a server that stops end properly without `complete`, and its clients resume at the next one", async () => {
    const stopping = form === "server" ? await bed.start() : server;
    const stream = await stopping.subscribe(events());
    const changes = await stopping.subscribe(links());
    join();
    const { id } = await nextEvent(stream);
    await stopping.stop();
    expect(await stream.reader.rest()).toEqual([]);
    expect((await changes.reader.rest()).map(({ event }) => event)).not.toContain("complete");
    const missed = join();
    if (form === "embedded") server = await bed.start();
    const again = await server.subscribe(events(), { lastEventId: id });
    expect((await nextEvent(again)).userId).toBe(missed);
    again.close();
  });
});

await describeOnForms("live subscriptions on one PostgreSQL", ["server"], (form) => {
  let bed: LiveBed;
  let servers: LiveServer[];
  beforeAll(async () => {
    bed = await LiveBed.prepare(form);
    servers = [await bed.start(), await bed.start(), await bed.start()];
    await servers[0]?.ask(`mutation { connectChannel(input: { chat: "${NEWS}" }) { __typename } }`);
  });
  afterAll(() => bed?.close());

  test("every server's subscribers get all events in one order, whichever server stored them", async () => {
    const link = await (servers[1] as LiveServer).makeLink(NEWS);
    const streams = await Promise.all(servers.map((server) => server.subscribe(events())));
    const changes = await Promise.all(servers.map((server) => server.subscribe(links())));
    const people = Array.from({ length: 30 }, () => bed.newPerson());
    for (const person of people) bed.telegram.control.join(NEWS, person, { url: link.url });
    const ids: string[][] = [];
    for (const stream of streams) {
      const received: string[] = [];
      while (received.length < people.length) received.push((await nextEvent(stream)).id);
      ids.push(received);
      stream.close();
    }
    const stored = await storedIds(servers[0] as LiveServer);
    for (const received of ids) expect(received).toEqual(stored);
    for (const stream of changes) {
      let told = await nextLink(stream);
      while (told.stats.joinCount < people.length) told = await nextLink(stream);
      stream.close();
    }
  });

  test("a link that one server changes is told to the subscribers of every server", async () => {
    const changes = await Promise.all(servers.map((server) => server.subscribe(links())));
    const made = await (servers[2] as LiveServer).makeLink(NEWS);
    for (const stream of changes) {
      expect((await nextLink(stream)).id).toBe(made.id);
      stream.close();
    }
  });

  test("links that were changed before a subscription are not told, while an older transaction is open", async () => {
    const [server] = servers as [LiveServer];
    const client = new pg.Client(bed.database.url ?? "");
    onTestFinished(() => client.end());
    await client.connect();
    await client.query("begin");
    await client.query("select pg_current_xact_id()");
    await server.makeLink(NEWS);
    const changes = await server.subscribe(links());
    const made = await server.makeLink(NEWS);
    expect((await nextLink(changes)).id).toBe(made.id);
    changes.close();
  });

  test("a subscriber who has stopped reading is cut off, nobody else waits, and resuming loses nothing", async () => {
    const [server] = servers as [LiveServer];
    const link = await server.makeLink(NEWS);
    const aliases = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const wide = `subscription { memberEvents(channelId: ${NEWS}) {
      id ${aliases.map((alias) => `${alias}: inviteLink { ...Wide }`).join(" ")}
    } } fragment Wide on InviteLink { id url name budget createdAt expireDate memberLimit creatorId isBotCreated isRevoked }`;
    const slow = await server.subscribe(wide);
    const quick = await server.subscribe(events());
    bed.telegram.control.join(NEWS, bed.newPerson(), { url: link.url });
    const first = (await nextEvent(quick)).id;
    const client = new pg.Client(bed.database.url ?? "");
    onTestFinished(() => client.end());
    await client.connect();
    // Many events at once, as if many people had joined while no server was there.
    const count = 4_000;
    await client.query(
      `with channel as (
         select c.id, a.last_sequence from channel c join channel_activity a on a.channel_id = c.id where c.chat_id = $1
       ), events as (
         insert into member_event (channel_id, sequence, id, user_id, link_id, occurred_at, kind, attribution)
         select id, last_sequence + n, gen_random_uuid(), 7000000 + n, $2, now(), 'JOINED', 'EXACT'
         from channel, generate_series(1, $3::int) n
       )
       update channel_activity a set last_sequence = a.last_sequence + $3::int from channel where a.channel_id = channel.id`,
      [NEWS, Buffer.from(link.id, "base64").toString().split(":")[1], count],
    );
    await client.query("notify member_events");
    let last = "";
    for (let read = 0; read < count; read += 1) last = (await nextEvent(quick)).id;
    quick.close();
    const received: string[] = [];
    try {
      for (let event = await slow.reader.next(); event; event = await slow.reader.next())
        received.push(event.data.data.memberEvents.id);
    } catch (error) {
      // Whether the end of a connection that was cut off is an error depends on the client; `complete` never comes.
      expect(String(error)).toContain("terminated");
    }
    expect(received.length).toBeLessThan(count);
    expect(received[0]).toBe(first);
    const resumed = await server.subscribe(wide, { lastEventId: received.at(-1) ?? "" });
    while (received.at(-1) !== last) received.push((await nextEvent(resumed)).id);
    resumed.close();
    expect(received.length).toBe(count + 1);
    expect(new Set(received).size).toBe(count + 1);
  });
});

import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { describeOnForms } from "../support/databases.js";
import { CHANNEL, type GraphQLAnswer, startTestServer, type TestServer } from "../support/server.js";

const POLL = { timeout: 60_000, interval: 20 };

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

await describeOnForms("one caller's costly reads", ["server"], (form) => {
  let server: TestServer;
  let holder: pg.Client;
  /** A separate session, because a transaction does not see later changes of pg_stat_activity. */
  let watcher: pg.Client;
  let url: string;
  beforeAll(async () => {
    server = await startTestServer({}, form, async (database) => {
      const [row] = await database.prisma.$queryRaw<{ name: string; port: number }[]>`
        select current_database() as name, inet_server_port() as port`;
      const [user] = await database.prisma.$queryRaw<{ name: string }[]>`select current_user as name`;
      url = `postgresql://${user?.name}@127.0.0.1:${row?.port}/${row?.name}`;
    });
    holder = new pg.Client(url);
    watcher = new pg.Client(url);
    await Promise.all([holder.connect(), watcher.connect()]);
  });
  afterAll(async () => {
    await Promise.all([holder.end(), watcher.end()]);
    await server.stop();
  });

  /** The server's sessions with a statement that waits for the test's lock. */
  const heldUp = async () => {
    const { rows } = await watcher.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows[0]?.count;
  };
  /** Locks the tag types while `work` runs, so that every statement that reads them waits. */
  const whileTagTypesAreSlow = async (work: () => Promise<void>): Promise<void> => {
    await holder.query("begin");
    await holder.query("lock table tag_type in access exclusive mode");
    try {
      await work();
    } finally {
      await holder.query("rollback");
    }
  };
  const aliases = Array.from({ length: 29 }, (_, index) => `a${index}: tagTypes { name }`).join(" ");
  const costly = (token: string) => server.ask(`{ ${aliases} }`, {}, token);
  const create = (token: string): Promise<GraphQLAnswer> =>
    server.ask(
      `mutation ($input: CreateInviteLinkInput!) {
        createInviteLink(input: $input) { ... on CreateInviteLinkSuccess { inviteLink { name } } ... on UserError { message } }
      }`,
      { input: { channelId: CHANNEL, name: "Beside the greedy one" } },
      token,
    );
  const codes = (answers: readonly GraphQLAnswer[]) =>
    new Set(answers.flatMap(({ errors = [] }) => errors.map(({ extensions }) => extensions.code)));

  test("costly reads of one caller use two sessions, so other callers' requests and /readyz are answered", async () => {
    const [greedy, maker] = [
      await server.makeToken({ role: "VIEWER" }),
      await server.makeToken({ role: "EDITOR" }),
    ];
    const asked: Promise<GraphQLAnswer>[] = [];
    await whileTagTypesAreSlow(async () => {
      for (let time = 0; time < 4; time += 1) asked.push(costly(greedy));
      await expect.poll(heldUp, POLL).toBe(2);
      for (let time = 0; time < 3; time += 1) {
        const { data, errors } = await create(maker);
        expect([data?.createInviteLink, errors]).toEqual([
          { inviteLink: { name: "Beside the greedy one" } },
          undefined,
        ]);
      }
      const read = `{ inviteLinks(channelId: ${CHANNEL}, filter: { name: "greedy", isBotCreated: true }) { totalCount } }`;
      expect((await server.ask(read, {}, maker)).data).toEqual({ inviteLinks: { totalCount: 3 } });
      expect((await fetch(`${server.origin}/readyz`)).status).toBe(200);
      expect(await heldUp()).toBe(2);
    });
    // A read that waited ten seconds for its caller's other reads is refused.
    expect([...codes(await Promise.all(asked))].filter((code) => code !== "RATE_LIMITED")).toEqual([]);
    expect((await costly(greedy)).errors).toBeUndefined();
  });

  test("costly reads of several callers leave sessions for creating links", async () => {
    const tokens = await Promise.all(Array.from({ length: 5 }, () => server.makeToken({ role: "VIEWER" })));
    const asked: Promise<GraphQLAnswer>[] = [];
    await whileTagTypesAreSlow(async () => {
      for (const token of tokens) asked.push(costly(token));
      await expect.poll(heldUp, POLL).toBe(3);
      expect((await create(server.token)).data.createInviteLink).toEqual({
        inviteLink: { name: "Beside the greedy one" },
      });
      expect((await fetch(`${server.origin}/readyz`)).status).toBe(200);
      expect(await heldUp()).toBe(3);
    });
    expect([...codes(await Promise.all(asked))].filter((code) => code !== "RATE_LIMITED")).toEqual([]);
  });

  test("costly reads of a client that has left are not executed", async () => {
    const token = await server.makeToken({ role: "VIEWER" });
    await whileTagTypesAreSlow(async () => {
      const leaving = new AbortController();
      const asked = fetch(server.url, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ query: `{ ${aliases} }` }),
        signal: leaving.signal,
      });
      await expect.poll(heldUp, POLL).toBe(2);
      leaving.abort();
      await expect(asked).rejects.toThrow();
      // The server notices the disconnection before it answers a later request.
      for (let time = 0; time < 3; time += 1) await server.ask("{ viewer { name } }");
    });
    const before = server.log.length;
    await expect
      .poll(async () => (await server.ask("{ tagTypes { name } }", {}, token)).status, POLL)
      .toBe(200);
    const ran = server.log.slice(before).filter(({ sql }) => String(sql).includes("from tag_type"));
    // The two reads that had begun, and the last one.
    expect(ran.length).toBeLessThanOrEqual(3);
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });
});

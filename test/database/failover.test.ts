import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { exampleQueries } from "../../src/http/graphql/exampleQueries.js";
import { exampleChannel, readSample } from "../../src/sample.js";
import { DatabaseProxy } from "../support/databaseProxy.js";
import { LiveBed, type LiveServer, NEWS } from "../support/liveServers.js";
import { missingPooler, startPooler } from "../support/pgbouncer.js";
import { type ReplicationPair, type ReplicationServer, startReplication } from "../support/replication.js";
import { CHANNEL, startTestServer } from "../support/server.js";

const NAMES = `query ($chat: TelegramID!) { inviteLinks(channelId: $chat, first: 100) { nodes { name } } }`;
const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) { __typename ... on UserError { message } }
}`;
const ADMINISTRATION = `{
  viewer { name role }
  apiTokens { name role lastUsedAt }
  auditEntries(first: 50) { nodes { action caller change } }
  failedUpdates(first: 5) { nodes { id } }
  uncertainCreations { id }
  webhooks { id }
}`;
const UNAVAILABLE = [503, "DATABASE_UNAVAILABLE"];
const WAIT = { timeout: 60_000, interval: 50 };

/** A server's address of each database, through proxies of its own. */
class Addresses {
  readonly primary: DatabaseProxy;
  readonly replica: DatabaseProxy;
  readonly #pair: ReplicationPair;

  constructor(pair: ReplicationPair) {
    this.#pair = pair;
    this.primary = new DatabaseProxy(pair.primary.url);
    this.replica = new DatabaseProxy(pair.replica.url);
  }

  async listen(): Promise<this> {
    await Promise.all([this.primary.listen(), this.replica.listen()]);
    return this;
  }

  configure(database = "postgres") {
    const reach = (proxy: DatabaseProxy, { url }: ReplicationServer) => {
      const address = new URL(proxy.reach(url));
      address.pathname = database;
      return address.href;
    };
    return {
      databaseUrl: reach(this.primary, this.#pair.primary),
      databaseReplicaUrl: reach(this.replica, this.#pair.replica),
    };
  }

  close(): void {
    this.primary.close();
    this.replica.close();
  }
}

const ready = async (url: string) => {
  const response = await fetch(new URL("/readyz", url));
  return [response.status, ((await response.json()) as { database: string }).database];
};
const untilReady = ({ url }: { readonly url: string }, status: number, database: string) =>
  expect.poll(() => ready(url), WAIT).toEqual([status, database]);

/** The names of all links, the newest first; or the status and code of the error. */
async function namesOf(server: LiveServer, token: string): Promise<unknown[]> {
  const { status, errors, data } = await server.ask(NAMES, { chat: NEWS }, token);
  if (errors?.[0]) return [status, errors[0].extensions.code];
  return data.inviteLinks.nodes.map(({ name }: { name: string }) => name);
}

async function create(server: LiveServer, name: string, token = server.token): Promise<unknown> {
  const { status, errors, data } = await server.ask(CREATE, { input: { channelId: NEWS, name } }, token);
  return errors?.[0] ? [status, errors[0].extensions.code] : data.createInviteLink.__typename;
}
const CREATED = "CreateInviteLinkSuccess";

const problems = ({ log }: Pick<LiveServer, "log">) =>
  log.filter(({ level }) => ["warn", "error", "fatal"].includes(level)).map(({ msg }) => msg);
const NO_REPLICA =
  /^DATABASE_REPLICA_URL: the address does not lead to a replica of the server at DATABASE_URL$/;
const AWAY = expect.stringMatching(/^the primary is away: a replica answers reads/);

const first = await startReplication();

/** Runs tests on a pair of servers, and two servers of the installation on them. */
function describeOnPair(
  title: string,
  pairOf: () => Promise<ReplicationPair | null>,
  tests: (context: {
    readonly pair: ReplicationPair;
    readonly bed: LiveBed;
    /** One for each server. */
    readonly addresses: readonly [Addresses, Addresses];
    readonly servers: readonly [LiveServer, LiveServer];
    /** An editor's, which is looked up in the database. */
    readonly token: string;
  }) => void,
): void {
  describe(title, () => {
    if (first === null) {
      it.skip("skipped: this machine is no Linux, or has no PostgreSQL that runs");
      return;
    }
    const context = {} as {
      -readonly [Key in keyof Parameters<typeof tests>[0]]: Parameters<typeof tests>[0][Key];
    };
    beforeAll(async () => {
      const pair = await pairOf();
      if (pair === null) throw new Error("PostgreSQL did not start again.");
      context.pair = pair;
      context.bed = await LiveBed.prepare("embedded");
      context.addresses = [await new Addresses(pair).listen(), await new Addresses(pair).listen()];
      const [one, other] = context.addresses;
      context.servers = [
        await context.bed.start(0, one.configure()),
        await context.bed.start(0, other.configure()),
      ];
      context.token = (await context.servers[0].makeToken("EDITOR", [NEWS])).secret;
      expect(await create(context.servers[0], "first")).toBe(CREATED);
      await pair.caughtUp();
    }, 120_000);
    afterAll(async () => {
      await context.bed?.close();
      for (const own of context.addresses ?? []) own.close();
      await context.pair?.stop();
    });
    tests(context);
  });
}

describeOnPair(
  "a replica",
  async () => first,
  (context) => {
    test("answers all kinds of reads while the primary is away, and refuses changes", async () => {
      await context.pair.primary.query("create database sample");
      const own = await new Addresses(context.pair).listen();
      const server = await startTestServer({ ...own.configure("sample"), rateLimit: 1_000_000 }, "embedded");
      try {
        const token = await server.makeToken({ role: "ADMIN" });
        const examples = exampleQueries(exampleChannel(await readSample()));
        const documents = [...Object.values(examples), ADMINISTRATION]
          .map(String)
          .filter((text) => !/^(mutation|subscription) /m.test(text));
        expect(documents.length).toBeGreaterThan(4);
        const rest = async (path: string, options: RequestInit = {}): Promise<unknown[]> => {
          const response = await fetch(`${server.origin}${path}`, {
            ...options,
            headers: {
              authorization: `Bearer ${token}`,
              ...(options.body ? { "content-type": "application/json" } : {}),
            },
          });
          // The cursors of long lists that have just been read may still be open.
          if (response.status === 429) return rest(path, options);
          return [response.status, await response.text()];
        };
        const { id } = JSON.parse(String((await rest(`/tags?channel_id=${CHANNEL}`))[1])).items[0];
        const paths = [
          `/tags?channel_id=${CHANNEL}`,
          `/tags/${id}?channel_id=${CHANNEL}`,
          "/tags/types",
          `/export?channel_id=${CHANNEL}&format=csv&stats=true`,
          `/export?channel_id=${CHANNEL}&format=jsonl`,
        ];
        const list = { method: "POST", body: JSON.stringify({ channel_id: CHANNEL }) };
        const readAll = async () => ({
          graphql: await Promise.all(
            documents.map(async (text) => {
              const { status, data, errors } = await server.ask(text, {}, token);
              return { status, data, errors };
            }),
          ),
          rest: await Promise.all(paths.map((path) => rest(path))),
          list: await rest(`/invite_links/all?channel_id=${CHANNEL}&limit=-1`, list),
        });
        const before = await readAll();
        for (const { status, errors } of before.graphql) expect([status, errors]).toEqual([200, undefined]);
        for (const [status] of [...before.rest, before.list]) expect(status).toBe(200);
        // The use of a token is stored beside the request.
        await expect
          .poll(
            async () =>
              (await context.pair.primary.query("select 1")).length &&
              (await server.ask(ADMINISTRATION, {}, token)).data.apiTokens.at(-1).lastUsedAt,
            WAIT,
          )
          .not.toBeNull();
        const stored = await readAll();
        await context.pair.caughtUp();
        // A server does not trust a session on the replica in its first three seconds.
        const settled = `select from pg_stat_activity where datname = 'sample'
          and application_name = 'invite-links replica writes' and backend_start < now() - interval '3 seconds'`;
        await expect.poll(() => context.pair.replica.query(settled), WAIT).toHaveLength(1);
        await own.primary.stop();
        const atOnce = await readAll();
        // Lists that Prisma reads are not tried again.
        expect({ ...atOnce, graphql: atOnce.graphql.slice(0, -1) }).toEqual({
          ...stored,
          graphql: stored.graphql.slice(0, -1),
        });
        await untilReady(server, 200, "read-only");
        expect(await readAll()).toEqual(stored);
        const metrics = async () => (await fetch(`${server.origin}/metrics`)).text();
        expect(await metrics()).toContain('invite_links_database_reads{server="replica"} 1');
        const refused = await server.ask(CREATE, { input: { channelId: CHANNEL, name: "no" } }, token);
        expect([refused.status, refused.errors?.[0]?.extensions.code]).toEqual(UNAVAILABLE);
        expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
        const tag = {
          channel_id: CHANNEL,
          name: "no",
          color: "#ffffff",
          tag_type_id: "01991000-0000-7000-8000-000000000010",
        };
        for (const [path, options] of [
          ["/tags", { method: "POST", body: JSON.stringify(tag) }],
          ["/invite_links", { method: "POST", body: JSON.stringify({ channel_id: CHANNEL, name: "no" }) }],
        ] as const)
          expect(await rest(path, options)).toEqual([503, expect.stringContaining("database")]);
        expect(problems(server)).toEqual([AWAY]);

        await own.primary.restart();
        await untilReady(server, 200, "ok");
        expect(await metrics()).toContain('invite_links_database_reads{server="primary"} 1');
        expect(
          (await server.ask(CREATE, { input: { channelId: CHANNEL, name: "yes" } }, token)).data
            .createInviteLink.__typename,
        ).toBe(CREATED);
        expect(problems(server)).toEqual([AWAY]);
      } finally {
        await server.stop();
        own.close();
      }
    });

    test("answers reads while the primary stands still, and subscriptions go on afterwards", async () => {
      const { pair, servers, token, bed } = context;
      const stream = await servers[0].subscribe(
        `subscription { memberEvents(channelId: ${NEWS}) { kind userId } }`,
      );
      await pair.primary.freeze();
      const expected = await Promise.all(servers.map((server) => namesOf(server, token)));
      expect(expected).toEqual([["first"], ["first"]]);
      for (const server of servers) {
        await untilReady(server, 200, "read-only");
        expect(await namesOf(server, token)).toEqual(["first"]);
        expect(await create(server, "no", token)).toEqual(UNAVAILABLE);
      }
      await pair.primary.thaw();
      for (const server of servers) await untilReady(server, 200, "ok");
      for (const server of servers) expect(await create(server, "after")).toBe(CREATED);
      const person = bed.newPerson();
      bed.telegram.control.join(NEWS, person);
      const event = await stream.reader.next();
      expect(event?.data?.data?.memberEvents).toEqual({ kind: "JOINED", userId: person.id });
      stream.close();
    });

    test("that lacks what was written through any server answers no reads until it has it", async () => {
      const { pair, servers, addresses, token } = context;
      await pair.replica.query("select pg_wal_replay_pause()");
      expect(await create(servers[0], "lagging")).toBe(CREATED);
      await Promise.all(addresses.map(({ primary }) => primary.stop()));
      for (const server of servers) {
        await untilReady(server, 503, "unavailable");
        expect(await namesOf(server, token)).toEqual(UNAVAILABLE);
      }
      await pair.replica.query("select pg_wal_replay_resume()");
      for (const server of servers) {
        await untilReady(server, 200, "read-only");
        expect((await namesOf(server, token))[0]).toBe("lagging");
      }
      await Promise.all(addresses.map(({ primary }) => primary.restart()));
      for (const server of servers) await untilReady(server, 200, "ok");
    });

    test("answers no reads of one server while another server still writes to the primary", async () => {
      const { servers, addresses, token } = context;
      await addresses[0].primary.stop();
      await untilReady(servers[0], 503, "unavailable");
      expect(await create(servers[1], "meanwhile")).toBe(CREATED);
      expect(await namesOf(servers[0], token)).toEqual(UNAVAILABLE);
      await addresses[1].primary.stop();
      for (const server of servers) {
        await untilReady(server, 200, "read-only");
        expect((await namesOf(server, token))[0]).toBe("meanwhile");
      }
      // The server that finds the primary reads there at once and writes when the other one reads no replica any more.
      await addresses[1].primary.restart();
      await untilReady(servers[1], 200, "ok");
      expect((await ready(servers[0].url))[0]).toBe(503);
      expect(await namesOf(servers[0], token)).toEqual(UNAVAILABLE);
      expect(await create(servers[1], "again")).toBe(CREATED);
      await addresses[0].primary.restart();
      await untilReady(servers[0], 200, "ok");
      expect((await namesOf(servers[0], token))[0]).toBe("again");
    });

    test("that is away is reported, and costs nothing else", async () => {
      const { servers, addresses, token } = context;
      const from = problems(servers[0]).length;
      await addresses[0].replica.stop();
      const lines = () => problems(servers[0]).slice(from);
      await expect.poll(lines, WAIT).toEqual([expect.stringMatching(/^the replica does not answer/)]);
      expect(await create(servers[0], "without", token)).toBe(CREATED);
      await addresses[0].replica.restart();
      await expect
        .poll(() => servers[0].log.filter(({ msg }) => msg === "the replica answers again").length, WAIT)
        .toBe(1);
    });

    test("at an address of other data ends the start in one line", async () => {
      const other = await startReplication();
      if (other === null) throw new Error("PostgreSQL did not start again.");
      try {
        const { databaseUrl } = context.addresses[0].configure();
        await expect(
          context.bed.start(0, { databaseUrl, databaseReplicaUrl: other.primary.url }),
        ).rejects.toThrow(NO_REPLICA);
      } finally {
        await other.stop();
      }
    });

    test.skipIf(missingPooler !== null)(
      "behind a pooler that shares sessions ends the start in one line",
      async () => {
        const { databaseUrl } = context.addresses[0].configure();
        const { url } = context.pair.replica;
        const pooler = await startPooler(url, { pool_mode: "transaction" });
        try {
          await expect(
            context.bed.start(0, { databaseUrl, databaseReplicaUrl: pooler.through(url) }),
          ).rejects.toThrow(/^DATABASE_REPLICA_URL: the pooler shares sessions between clients [^\n]*$/);
        } finally {
          await pooler.stop();
        }
      },
    );

    test("at an address of another database of the same server ends the start", async () => {
      const { databaseUrl, databaseReplicaUrl } = context.addresses[0].configure();
      await expect(
        context.bed.start(0, {
          databaseUrl,
          databaseReplicaUrl: databaseReplicaUrl.replace(/\/postgres$/, "/template1"),
        }),
      ).rejects.toThrow(NO_REPLICA);
    });
  },
);

describeOnPair("a replica that is promoted", startReplication, (context) => {
  test("is the primary of all servers, also when the former primary is back", async () => {
    const { pair, servers, token } = context;
    await pair.primary.freeze();
    for (const server of servers) await untilReady(server, 200, "read-only");
    await pair.replica.query("select pg_promote()");
    for (const server of servers) await untilReady(server, 200, "ok");
    expect(await create(servers[0], "promoted", token)).toBe(CREATED);
    expect(await namesOf(servers[1], token)).toEqual(["promoted", "first"]);
    await pair.primary.thaw();
    await expect.poll(() => pair.primary.query("select 1"), WAIT).toHaveLength(1);
    // The servers look at both addresses meanwhile.
    for (let round = 0; round < 3; round += 1)
      for (const server of servers) {
        await untilReady(server, 200, "ok");
        expect(await create(server, `round ${round}`, token)).toBe(CREATED);
      }
    expect(await pair.primary.query("select name from invite_link")).toEqual([{ name: "first" }]);
    expect(await pair.replica.query("select from invite_link")).toHaveLength(8);
  });
});

describeOnPair("a primary that changes behind one address", startReplication, (context) => {
  test("is not written to while it is a standby", async () => {
    const { pair, servers, addresses, token } = context;
    // A balancer leads to the former replica before it is promoted.
    for (const { primary } of addresses) primary.leadTo(pair.replica.url);
    for (const server of servers) {
      await untilReady(server, 200, "read-only");
      expect(await namesOf(server, token)).toEqual(["first"]);
      expect(await create(server, "no", token)).toEqual(UNAVAILABLE);
    }
    await pair.primary.kill();
    await pair.replica.query("select pg_promote()");
    for (const server of servers) {
      await untilReady(server, 200, "ok");
      expect(await create(server, "yes", token)).toBe(CREATED);
    }
    // The address of the replica leads nowhere then.
    for (const { replica } of addresses) await replica.stop();
    for (const server of servers) expect(await namesOf(server, token)).toEqual(["yes", "yes", "first"]);
  });
});

import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { DatabaseProxy } from "../support/databaseProxy.js";
import { describeOnForms } from "../support/databases.js";
import { CHANNEL, startTestServer, type TestServer } from "../support/server.js";

const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) {
    __typename
    ... on CreateInviteLinkSuccess { inviteLink { id url } }
    ... on TelegramUnavailableError { outcomeUnknown message }
    ... on UserError { message }
  }
}`;
const REVOKE = `mutation ($id: ID!) {
  revokeInviteLink(input: { id: $id }) { __typename ... on RevokeInviteLinkSuccess { inviteLink { isRevoked } } }
}`;
const RENAME = `mutation ($id: ID!) {
  updateInviteLink(input: { id: $id, name: "renamed" }) { __typename }
}`;
const READ = `{ channels(first: 1) { nodes { title } } }`;
/** Additional time on a machine that runs eight test files at once, in milliseconds. */
const SLACK_MS = 10_000;

await describeOnForms("a database that fails", ["server"], () => {
  let proxy: DatabaseProxy;
  let server: TestServer;
  let direct: pg.Client;
  /** A token that is looked up in the database, unlike ADMIN_TOKEN. */
  let token: string;
  const ADMIN = "an-admin-token-that-is-known";

  beforeAll(async () => {
    const answer = await (await fetch(inject("serverAddress"))).json();
    proxy = new DatabaseProxy(answer.url);
    await proxy.listen();
    let url = "";
    server = await startTestServer({ adminToken: ADMIN, cache: false }, "server", undefined, (own) => {
      url = own;
      return proxy.reach(own);
    });
    direct = new pg.Client(url);
    await direct.connect();
    token = await server.makeToken({ role: "ADMIN" });
  });
  afterAll(async () => {
    await direct.end();
    await server.stop();
    proxy.close();
  });

  const ready = async () => {
    const response = await fetch(`${server.origin}/readyz`);
    return { status: response.status, ...((await response.json()) as object) };
  };
  const isOk = { status: "ok", database: "ok", migrations: "ok" };
  const untilReady = () => expect.poll(() => ready(), { interval: 100 }).toMatchObject({ ...isOk });
  const untilNot = (database: string) =>
    expect
      .poll(() => ready(), { interval: 100 })
      .toMatchObject({ status: database, database, migrations: database, telegram: "sandbox" });
  const input = (name: string) => ({ input: { channelId: CHANNEL, name } });
  const create = (name: string) => server.ask(CREATE, input(name), ADMIN);
  const made = (name: string) =>
    server.sandbox.control
      .calls("createChatInviteLink")
      .filter(({ parameters }) => parameters["name"] === name);
  const outages = () => server.log.filter(({ level }) => ["warn", "error", "fatal"].includes(level));

  const rest = (path: string, options: RequestInit = {}, bearer = ADMIN) =>
    fetch(`${server.origin}${path}`, {
      ...options,
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(options.body ? { "content-type": "application/json" } : {}),
      },
    });
  const expectUnavailable = async (answered: Promise<Awaited<ReturnType<typeof create>>>) => {
    const { status, headers, ...body } = await answered;
    expect(status).toBe(503);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(body.errors?.[0]?.extensions.code).toBe("DATABASE_UNAVAILABLE");
    expect(body.errors?.[0]?.message).toMatch(/database/);
    expect("data" in body).toBe(false);
  };
  const expectRestUnavailable = async (answered: Promise<Response>) => {
    const response = await answered;
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await response.json()).toEqual({ detail: expect.stringMatching(/database/) });
  };

  afterEach(async () => {
    await direct.query(`
      drop trigger if exists refuse_rows on invite_link;
      drop trigger if exists refuse_rows on write_probe;
      drop trigger if exists refuse_rows on tag_type;
      drop function if exists refuse_rows()`);
    await untilReady();
  });

  /** Makes writes to the table fail with this SQLSTATE. */
  const failWrites = (table: string, state: string, when = "before insert") =>
    direct.query(`
      create function refuse_rows() returns trigger language plpgsql as
        $$ begin raise exception 'said by the test' using errcode = '${state}'; end $$;
      create trigger refuse_rows ${when} on ${table} for each row execute function refuse_rows()`);

  test("an unreachable database is reported by every endpoint and by one log line at the beginning and at the end", async () => {
    await untilReady();
    const from = outages().length;
    await proxy.stop();
    await Promise.all([
      expectUnavailable(server.ask(READ, {}, ADMIN)),
      expectUnavailable(server.ask(READ, {}, token)),
      expectUnavailable(create("away")),
      expectUnavailable(server.ask(CREATE, input("away"), token)),
      expectRestUnavailable(rest(`/tags?channel_id=${CHANNEL}`)),
      expectRestUnavailable(rest(`/tags?channel_id=${CHANNEL}`, {}, token)),
      expectRestUnavailable(
        rest("/invite_links", {
          method: "POST",
          body: JSON.stringify({ channel_id: CHANNEL, name: "away" }),
        }),
      ),
    ]);
    for (const accept of ["application/json", "application/graphql-response+json"]) {
      const response = await fetch(server.url, {
        method: "POST",
        headers: { accept, authorization: `Bearer ${ADMIN}`, "content-type": "application/json" },
        body: JSON.stringify({ query: READ }),
      });
      expect([response.status, response.headers.get("content-type")]).toEqual([
        503,
        `${accept}; charset=utf-8`,
      ]);
    }
    await untilNot("unavailable");
    for (let again = 0; again < 3; again += 1) await expectUnavailable(server.ask(READ, {}, ADMIN));
    const during = outages().slice(from);
    expect(during.map(({ msg, err }) => [msg, err])).toEqual([
      [expect.stringMatching(/^the database is unavailable/), undefined],
    ]);
    expect(made("away")).toEqual([]);

    await proxy.restart();
    await untilReady();
    expect(outages().slice(from)).toHaveLength(1);
    expect(server.log.filter(({ msg }) => msg === "the database answers and stores again")).toHaveLength(1);
    expect((await create("back")).data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
  });

  test("a database that does not answer is reported within fifteen seconds, by /readyz within three", async () => {
    await untilReady();
    await server.ask(READ, {}, token);
    const from = performance.now();
    proxy.hang();
    try {
      const asked = [
        expectUnavailable(server.ask(READ, {}, ADMIN)),
        expectUnavailable(server.ask(READ, {}, token)),
        expectUnavailable(create("still")),
        expectUnavailable(
          server.ask(
            `mutation ($a: CreateInviteLinkInput!) {
              a: createInviteLink(input: $a) { __typename } b: createInviteLink(input: $a) { __typename }
            }`,
            { a: input("still").input },
            ADMIN,
          ),
        ),
        expectRestUnavailable(rest(`/tags?channel_id=${CHANNEL}`)),
      ];
      expect(await ready()).toMatchObject({ database: "unavailable" });
      expect(performance.now() - from).toBeLessThan(3000 + SLACK_MS);
      await Promise.all(asked);
      expect(performance.now() - from).toBeLessThan(15_000 + SLACK_MS);
      expect(made("still")).toEqual([]);
    } finally {
      proxy.resume();
    }
    await untilReady();
    expect((await create("moves")).data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
  });

  test("a database that ended all sessions is used again at once", async () => {
    await untilReady();
    await direct.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    const answers = await Promise.all(Array.from({ length: 10 }, () => server.ask(READ, {}, token)));
    for (const { status } of answers) expect([200, 503]).toContain(status);
    await untilReady();
    expect((await server.ask(READ, {}, token)).status).toBe(200);
    expect((await create("ended")).data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
  });

  test.each([
    ["full", "53100", /out of space/],
    ["read-only", "25006", /read-only/],
  ])(
    "a database that is %s is reported by /readyz, and nothing is sent to Telegram meanwhile",
    async (state, code, words) => {
      const { data } = await create(`before ${state}`);
      const { id } = data.createInviteLink.inviteLink;
      await failWrites("write_probe", code);
      await untilNot(state);
      const before = server.calls().length;
      for (const asked of [
        create(state),
        server.ask(RENAME, { id }, ADMIN),
        server.ask(REVOKE, { id }, ADMIN),
      ]) {
        const { status, errors } = await asked;
        expect([status, errors?.[0]?.extensions.code]).toEqual([503, "DATABASE_UNAVAILABLE"]);
        expect(errors?.[0]?.message).toMatch(words);
      }
      await expectRestUnavailable(
        rest("/invite_links", { method: "POST", body: JSON.stringify({ channel_id: CHANNEL, name: state }) }),
      );
      expect(server.calls()).toHaveLength(before);
      // Reading is still possible.
      expect((await server.ask(READ, {}, token)).status).toBe(200);
      await direct.query("drop trigger refuse_rows on write_probe");
      await untilReady();
      expect((await server.ask(REVOKE, { id }, ADMIN)).data.revokeInviteLink).toMatchObject({
        inviteLink: { isRevoked: true },
      });
    },
  );

  test("a failure after Telegram created a link is not reported as if nothing had been done", async () => {
    await untilReady();
    await failWrites("tag_type", "53100");
    const { status, errors, data } = await server.ask(
      `mutation ($a: CreateInviteLinkInput!) {
        a: createInviteLink(input: $a) { __typename }
        b: createTagType(input: { name: "No room" }) { __typename }
      }`,
      { a: input("made before").input },
      ADMIN,
    );
    expect([status, made("made before").length, data]).toEqual([200, 1, null]);
    expect(errors?.[0]).toMatchObject({
      path: ["b"],
      message: expect.stringMatching(/database/),
      extensions: { code: "TELEGRAM_UNAVAILABLE", outcomeUnknown: true },
    });
  });

  test("a created link that cannot be stored blocks further creations and is stored when the database recovers", async () => {
    await untilReady();
    await failWrites("invite_link", "53100");
    const first = create("not stored");
    await untilNot("full");
    await expectUnavailable(create("too many"));
    expect([made("not stored").length, made("too many").length]).toEqual([1, 0]);
    await direct.query("drop trigger refuse_rows on invite_link");
    const { data } = await first;
    // The request may wait for it (up to ten seconds) or not.
    if (data.createInviteLink.__typename !== "CreateInviteLinkSuccess")
      expect(data.createInviteLink).toMatchObject({
        outcomeUnknown: true,
        message: expect.stringMatching(/database/),
      });
    await untilReady();
    await expect
      .poll(
        async () =>
          (await direct.query("select name from invite_link where name = 'not stored'")).rows.length,
      )
      .toBe(1);
    expect((await create("more")).data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
  });
});

await describeOnForms("readiness", ["embedded", "server"], (form) => {
  test("the readiness probe writes and leaves no row", async () => {
    const server = await startTestServer({}, form);
    try {
      const response = await fetch(`${server.origin}/readyz`);
      expect([response.status, await response.json()]).toEqual([
        200,
        {
          status: "ok",
          database: "ok",
          migrations: "ok",
          telegram: "sandbox",
          updates: expect.objectContaining({ transport: "polling", isPolling: true, holds: [] }),
        },
      ]);
      expect(server.log.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
    } finally {
      await server.stop();
    }
  });

  test("readiness reports a database that cannot be written to", async () => {
    const server = await startTestServer({}, form, async (database) => {
      await database.prisma.$executeRawUnsafe(`create function refuse_rows() returns trigger language plpgsql as
        $$ begin raise exception 'said by the test' using errcode = '53100'; end $$`);
      await database.prisma.$executeRawUnsafe(
        "create trigger refuse_rows before insert on write_probe for each row execute function refuse_rows()",
      );
    });
    try {
      await expect.poll(async () => (await fetch(`${server.origin}/readyz`)).status).toBe(503);
      expect(
        (await server.ask(CREATE, { input: { channelId: CHANNEL, name: "x" } })).errors?.[0],
      ).toMatchObject({
        extensions: { code: "DATABASE_UNAVAILABLE" },
      });
      expect(server.sandbox.control.calls("createChatInviteLink")).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});

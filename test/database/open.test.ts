import { once } from "node:events";
import { createServer } from "node:net";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { applyMigrations } from "../../src/database/migrations.js";
import { openDatabase } from "../../src/database/open.js";
import { connectionRefusal } from "../../src/database/refusals.js";
import { readDatabaseAddress } from "../../src/databaseAddress.js";
import { secretForms } from "../../src/log.js";
import { describeOnForms } from "../support/databases.js";
import { type OwnedDatabase, ownedDatabase } from "../support/roles.js";
import { CHANNEL, startTestServer } from "../support/server.js";

const open = async (url: string) => {
  const { pool, migrations } = await openDatabase({ url, folder: "" }, () => {});
  await pool.close();
  return migrations;
};

const tables = async (owned: OwnedDatabase) => {
  const { rows } = await owned.asSuperuser(
    "select schemaname as schema, count(*)::int as count from pg_tables where schemaname !~ '^(pg_|information_schema)' group by 1 order by 1",
  );
  return rows as { schema: string; count: number }[];
};

const ONE_LINE = (text: string) => new RegExp(`^DATABASE_URL: [^\\n]*${text}[^\\n]*$`);

await describeOnForms("a database server that cannot be used", ["server"], () => {
  let owned: OwnedDatabase;

  beforeAll(async () => {
    owned = await ownedDatabase();
  });
  afterAll(() => owned?.remove());

  it.each<[string, string, (url: URL) => void]>([
    [
      "does not exist",
      "does not know",
      (url) => {
        url.pathname = "no_such_database";
      },
    ],
    [
      "is asked for by a role that does not exist",
      "may not log in",
      (url) => {
        url.username = "no_such_role";
      },
    ],
    [
      "is asked by a client that wants TLS",
      "asks for TLS, and the server does not support it",
      (url) => {
        url.search = "?sslmode=verify-full";
      },
    ],
  ])("is refused in one line if the database %s", async (_title, text, change) => {
    await expect(open(owned.with(change))).rejects.toThrow(ONE_LINE(text));
  });

  it("is refused in one line if the role may not log in", async () => {
    await owned.asSuperuser(`alter role ${owned.role} nologin`);
    await expect(open(owned.url)).rejects.toThrow(ONE_LINE("may not log in"));
    await owned.asSuperuser(`alter role ${owned.role} login`);
  });

  it("is refused in one line if the role may not connect", async () => {
    await owned.asSuperuser(
      `revoke connect on database ${owned.name} from public`,
      `alter database ${owned.name} owner to postgres`,
    );
    await expect(open(owned.url)).rejects.toThrow(ONE_LINE("may not connect"));
    await owned.asSuperuser(`alter database ${owned.name} owner to ${owned.role}`);
  });

  it.each(["SQL_ASCII", "LATIN1"])("is refused in one line if its encoding is %s", async (encoding) => {
    const name = `${owned.name}_${encoding.toLowerCase()}`;
    await owned.asSuperuser(
      `create database ${name} owner ${owned.role} encoding '${encoding}' locale 'C' locale_provider libc template template0`,
    );
    try {
      const url = owned.with((changed) => {
        changed.pathname = name;
      });
      await expect(open(url)).rejects.toThrow(ONE_LINE(`encoding ${encoding}, not UTF8`));
    } finally {
      await owned.asSuperuser(`drop database ${name}`);
    }
  });

  it("is refused in one line and left unchanged if the role may not create tables", async () => {
    await owned.asSuperuser(
      `alter database ${owned.name} owner to postgres`,
      "alter schema public owner to postgres",
      "revoke create on schema public from public",
      `grant connect on database ${owned.name} to ${owned.role}`,
    );
    await expect(open(owned.url)).rejects.toThrow(ONE_LINE("may not create tables"));
    const missing = owned.with((url) => {
      url.search = "?schema=missing";
    });
    await expect(open(missing)).rejects.toThrow(ONE_LINE("does not exist"));
    expect(await tables(owned)).toEqual([]);
    await owned.asSuperuser(`alter database ${owned.name} owner to ${owned.role}`);
  });

  it("is refused in one line if the role has no connection left", async () => {
    await owned.asSuperuser(`alter role ${owned.role} connection limit 0`);
    await expect(open(owned.url)).rejects.toThrow(ONE_LINE("no connection left"));
    await owned.asSuperuser(`alter role ${owned.role} connection limit -1`);
  });

  it("is refused in one line if something else answers at the address", async () => {
    const other = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(
      0,
      "127.0.0.1",
    );
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    try {
      await expect(open(`postgresql://u:hunter2@127.0.0.1:${port}/d`)).rejects.toThrow(
        ONE_LINE("no database answers"),
      );
    } finally {
      other.close();
    }
  });
});

describe("the refusal of a connection", () => {
  const refusal = (fields: object) =>
    connectionRefusal(Object.assign(new Error('for user "u" at h'), fields), "DATABASE_URL").message;

  it.each<[object, string]>([
    [{ code: "28P01" }, "does not accept the password"],
    [{ code: "28000", routine: "ClientAuthentication" }, "pg_hba.conf"],
    [{ code: "57P03" }, "starting or shutting down"],
    [{ code: "08P01", message: "no such database: secret" }, "does not know"],
    [{ code: "08P01", message: "unsupported startup parameter: options" }, "options out of the address"],
    [
      { message: "SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string" },
      "asks for a password",
    ],
    [{ code: "SELF_SIGNED_CERT_IN_CHAIN" }, "certificate is not trusted"],
    [{ code: "ECONNREFUSED" }, "no database answers"],
  ])("explains %j without names", (fields, text) => {
    expect(refusal(fields)).toContain(text);
    expect(refusal(fields)).not.toMatch(/"u"|secret|\n/);
  });
});

await describeOnForms("the schema in a database address", ["server"], () => {
  let owned: OwnedDatabase;

  beforeAll(async () => {
    owned = await ownedDatabase();
  });
  afterAll(() => owned?.remove());

  const withSchema = (schema: string) =>
    owned.with((url) => {
      url.searchParams.set("schema", schema);
    });

  it.each(["tenant", "Odd name, with 'quotes' \\ é", "select"])(
    "is created and used by everything, also with the name %j",
    async (schema) => {
      const before = await tables(owned);
      const first = await startTestServer({ databaseUrl: withSchema(schema) }, "server");
      const made = await first.ask(`mutation { createTagType(input: { name: "Only here" }) { __typename } }`);
      expect(made.data).toEqual({ createTagType: { __typename: "CreateTagTypeSuccess" } });
      const { data } = await first.ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 1) { totalCount } }`);
      expect(data.inviteLinks.totalCount).toBeGreaterThan(0);
      await first.stop();
      const after = await tables(owned);
      expect(after.filter(({ schema: name }) => !before.some((one) => one.schema === name))).toEqual([
        { schema, count: expect.any(Number) },
      ]);
      expect(await open(withSchema(schema))).toEqual([]);
    },
  );

  it("separates two installations in one database", async () => {
    const [one, two] = [
      await startTestServer({ databaseUrl: withSchema("one") }, "server"),
      await startTestServer({ databaseUrl: withSchema("two") }, "server"),
    ];
    try {
      await one.ask(`mutation { createTagType(input: { name: "Of one" }) { __typename } }`);
      const names = async (server: typeof one) =>
        (await server.ask("{ tagTypes { name } }")).data.tagTypes.map(({ name }: { name: string }) => name);
      expect(await names(one)).toContain("Of one");
      expect(await names(two)).not.toContain("Of one");
    } finally {
      await one.stop();
      await two.stop();
    }
  });

  it("defaults to public even if the role has a schema of its own name", async () => {
    await owned.asSuperuser(`create schema ${owned.role} authorization ${owned.role}`);
    const server = await startTestServer({ databaseUrl: owned.url }, "server");
    const { data } = await server.ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 1) { totalCount } }`);
    await server.stop();
    expect(data.inviteLinks.totalCount).toBeGreaterThan(0);
    const schemas = (await tables(owned)).map(({ schema }) => schema);
    expect(schemas).toContain("public");
    expect(schemas).not.toContain(owned.role);
  });

  it("can be the role's own schema if the address names it", async () => {
    expect(await open(withSchema(owned.role))).not.toEqual([]);
    expect((await tables(owned)).map(({ schema }) => schema)).toContain(owned.role);
  });

  it("is created once by replicas that start together", async () => {
    const applied = await Promise.all(Array.from({ length: 4 }, () => open(withSchema("together"))));
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
  });

  it("has its own table of migrations", async () => {
    const pool = new pg.Pool({ connectionString: owned.url, max: 1, options: "-c search_path=books" });
    await pool.query("create schema books");
    try {
      expect(await applyMigrations(pool, { schema: "books" })).not.toEqual([]);
      expect(await applyMigrations(pool, { schema: "books" })).toEqual([]);
    } finally {
      await pool.end();
    }
  });
});

describe("a database address", () => {
  it.each(["prefer", "require", "verify-ca", "verify-full"])(
    "with sslmode=%s has the certificate checked, without a warning",
    (mode) => {
      const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
      try {
        const address = readDatabaseAddress(`postgresql://h/d?schema=s&sslmode=${mode}`);
        expect(address).toEqual({ schema: "s", connection: { host: "h", database: "d", ssl: {} } });
        expect(warn).not.toHaveBeenCalled();
      } finally {
        warn.mockRestore();
      }
    },
  );
});

describe("a database address in the log", () => {
  it.each([
    "postgresql://user:hunter22@h/d",
    "postgres://user:hunter22@/db?host=/run/postgresql",
    "postgresql:///db?host=/run/postgresql&user=user&password=hunter22",
    "postgres://user:hunter22@%2Frun%2Fpostgresql/db",
  ])("hides its password: %s", (url) => {
    const forms = secretForms(url);
    for (const text of [url, "user:hunter22"])
      expect(forms.reduce((rest, form) => rest.replaceAll(form, "[secret]"), text)).not.toContain("hunter22");
  });
});

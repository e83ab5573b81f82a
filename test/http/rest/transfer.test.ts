import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { RequestRefusedError } from "../../../src/http/lifecycle/requestFormat.js";
import type { OpenRequest, RestEndpoint } from "../../../src/http/rest/endpoint.js";
import { addTransfer } from "../../../src/http/rest/routes/transfer.js";
import { spool } from "../../../src/http/rest/spool.js";
import { validatorCompiler } from "../../../src/http/rest/validation.js";
import { createServer } from "../../../src/http/server.js";
import { RawConnection } from "../../support/rawHttp.js";
import { CHANNEL, GROUP, startTestServer, type TestServer } from "../../support/server.js";
import { callerOf } from "./support.js";

let server: TestServer;
const call = callerOf(() => server);
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server?.stop());

const EMPTY = -1005555555555;
const CSV = { "content-type": "text/csv" };
const post = (query: string, body: string, headers: Record<string, string> = CSV, token?: string) =>
  call("POST", `/import?${query}`, { body, headers, ...(token === undefined ? {} : { token }) });
const report = { updated: 0, known: 0, skipped: 0, firstSkipped: [] };

describe("GET /export", () => {
  test("gives a file of the selected links that import reads again", async () => {
    const all = await call("GET", `/export?channel_id=${CHANNEL}`);
    expect(all.status).toBe(200);
    expect(all.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}) { totalCount }
        revoked: inviteLinks(channelId: ${CHANNEL}, filter: { isRevoked: false, name: "a" }) { totalCount } }`,
    );
    const lines = String(all.body).trim().split("\r\n");
    expect(lines).toHaveLength(data.inviteLinks.totalCount + 1);
    expect(lines[0]).toContain("channel_id,url,name");
    const again = await post(`channel_id=${CHANNEL}`, String(all.body));
    expect(again.body).toMatchObject({ ...report, created: 0, known: data.inviteLinks.totalCount });

    const filter = encodeURIComponent(JSON.stringify({ isRevoked: false, name: "a", createdFrom: null }));
    const some = await call("GET", `/export?channel_id=${CHANNEL}&format=jsonl&stats=true&filter=${filter}`);
    expect(some.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    const links = String(some.body)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(links).toHaveLength(data.revoked.totalCount);
    expect(links[0]).toMatchObject({ channel_id: CHANNEL, stats: { join_count: expect.any(Number) } });
    const moved = String(some.body).replaceAll(String(CHANNEL), String(EMPTY));
    const ndjson = { "content-type": "application/x-ndjson; charset=utf-8" };
    expect((await post(`channel_id=${EMPTY}`, moved, ndjson)).body).toMatchObject({
      ...report,
      created: links.length,
      channels: 1,
      dryRun: false,
    });
  });

  test("refuses others than administrators, unknown channels and wrong filters", async () => {
    const [editor, stranger] = await Promise.all([
      server.makeToken({ role: "EDITOR" }),
      server.makeToken({ role: "ADMIN", channelIds: [GROUP] }),
    ]);
    for (const token of [editor, stranger])
      expect((await call("GET", `/export?channel_id=${CHANNEL}`, { token })).status).toBe(403);
    expect((await call("GET", `/export?channel_id=${CHANNEL}`, { token: null })).status).toBe(401);
    expect((await call("GET", "/export?channel_id=-100777")).status).toBe(404);
    for (const filter of ["{", "[]", '{"nothing":1}', '{"createdFrom":"soon"}', '{"ids":["x"]}']) {
      const refused = await call("GET", `/export?channel_id=${CHANNEL}&filter=${encodeURIComponent(filter)}`);
      expect(refused.status, filter).toBe(422);
      expect(refused.body.detail[0].loc.slice(0, 2), filter).toEqual(["query", "filter"]);
    }
    expect((await call("GET", `/export?channel_id=${CHANNEL}&format=xml`)).status).toBe(422);
    expect((await call("GET", "/export")).status).toBe(422);
    const accept = { accept: "image/png" };
    expect((await call("GET", `/export?channel_id=${CHANNEL}`, { headers: accept })).status).toBe(406);
  });
});

describe("POST /import", () => {
  test("checks without writing, maps columns, updates, and names what it skipped", async () => {
    const file = "Адрес,Cost\nt.me/+imported00001,10\nnot an address,20\n";
    const map = `map=${encodeURIComponent("url=Адрес")}&map=budget=Cost`;
    const dry = await post(`channel_id=${CHANNEL}&dry_run=true&${map}`, file);
    expect(dry).toMatchObject({
      status: 200,
      body: {
        created: 1,
        skipped: 1,
        dryRun: true,
        firstSkipped: [{ place: "line 3", problems: [{ field: "url" }] }],
      },
    });
    expect((await post(`channel_id=${CHANNEL}&${map}`, file)).body).toMatchObject({ created: 1, skipped: 1 });
    expect((await post(`channel_id=${CHANNEL}&${map}`, file)).body).toMatchObject({ created: 0, known: 1 });
    const updated = file.replace(",10", ",11");
    expect((await post(`channel_id=${CHANNEL}&update=true&${map}`, updated)).body).toMatchObject({
      updated: 1,
    });
  });

  test("stores nothing of a file that cannot be read to its end", async () => {
    const good = `url\nt.me/+notstored00001\n`;
    const bytes = Buffer.concat([Buffer.from(good), Buffer.from([0xff, 0xfe, 0x0a])]);
    const response = await fetch(`${server.origin}/import?channel_id=${CHANNEL}`, {
      method: "POST",
      headers: { ...CSV, authorization: `Bearer ${server.token}` },
      body: bytes,
    });
    expect(response.status).toBe(400);
    expect((await post(`channel_id=${CHANNEL}`, "nothing\nx\n")).status).toBe(422);
    expect((await post(`channel_id=${CHANNEL}`, '[{"url":"t.me/+notstored00001"}')).status).toBe(422);
    expect((await post(`channel_id=${CHANNEL}&map=x`, good)).body.detail[0].loc).toEqual(["query", "map"]);
    expect((await post(`channel_id=${CHANNEL}`, good, { "content-type": "application/json" })).status).toBe(
      415,
    );
    expect((await post(`channel_id=${CHANNEL}`, good, { ...CSV, "content-encoding": "gzip" })).status).toBe(
      415,
    );
    const editor = await server.makeToken({ role: "EDITOR" });
    expect((await post(`channel_id=${CHANNEL}`, good, CSV, editor)).status).toBe(403);
    const limited = await server.makeToken({ role: "ADMIN", channelIds: [CHANNEL] });
    expect((await post("dry_run=true", good, CSV, limited)).status).toBe(403);
    expect((await post(`channel_id=${CHANNEL}&dry_run=true`, good, CSV, limited)).status).toBe(200);
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, filter: { search: "notstored" }) { totalCount } }`,
    );
    expect(data.inviteLinks.totalCount).toBe(0);
  });

  test("lets only a caller of every channel create tag types, which all channels share", async () => {
    const limited = await server.makeToken({ role: "ADMIN", channelIds: [CHANNEL] });
    const file = [
      { url: "t.me/+typed0000000001", tags: [{ type: "platform", name: "A new tag" }] },
      { url: "t.me/+typed0000000002", tags: [{ type: "Nobody's", name: "One" }] },
      { url: "t.me/+typed0000000003" },
    ];
    const body = file.map((line) => `${JSON.stringify(line)}\n`).join("");
    const ndjson = { "content-type": "application/x-ndjson" };
    const typesAndUrls = async () => {
      const { data } = await server.ask(
        `{ tagTypes { name } inviteLinks(channelId: ${CHANNEL}, first: 100) { nodes { url } } }`,
      );
      return {
        types: data.tagTypes.map(({ name }: { name: string }) => name),
        urls: data.inviteLinks.nodes.map(({ url }: { url: string }) => url),
      };
    };
    const before = await typesAndUrls();
    const skipped = {
      skipped: 1,
      tagTypes: 0,
      tags: 1,
      firstSkipped: [
        {
          place: "line 2",
          url: "https://t.me/+typed0000000002",
          problems: [{ field: "tags", message: expect.stringContaining(`"Nobody's"`) }],
        },
      ],
    };
    const dry = await post(`channel_id=${CHANNEL}&dry_run=true`, body, ndjson, limited);
    expect(dry.body).toMatchObject({ ...skipped, created: 2 });
    expect((await post(`channel_id=${CHANNEL}`, body, ndjson, limited)).body).toMatchObject({
      ...skipped,
      created: 2,
    });
    const after = await typesAndUrls();
    expect(after.types).toEqual(before.types);
    expect(after.urls).not.toContain("https://t.me/+typed0000000002");
    const update = body.replace("typed0000000002", "typed0000000003");
    const updated = await post(`channel_id=${CHANNEL}&update=true`, update, ndjson, limited);
    expect(updated.body).toMatchObject({ created: 0, updated: 0, skipped: 1, tagTypes: 0 });
    expect((await post(`channel_id=${CHANNEL}`, body, ndjson)).body).toMatchObject({
      created: 1,
      known: 2,
      skipped: 0,
      tagTypes: 1,
    });
  });

  const headOf = (requestId: string, length: number): string =>
    `POST /import?channel_id=${EMPTY}&dry_run=true HTTP/1.1\r\nhost: x\r\nx-request-id: ${requestId}\r\n` +
    `authorization: Bearer ${server.token}\r\ncontent-type: text/csv\r\ncontent-length: ${length}\r\n`;
  const endOf = async (requestId: string): Promise<unknown> => {
    const lines = () => server.log.filter((line) => line["requestId"] === requestId);
    await expect.poll(() => lines().map(({ msg }) => msg)).toContain("request");
    expect(lines().filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    expect(JSON.stringify(lines())).not.toContain("INTERNAL_SERVER_ERROR");
    return lines().find(({ msg }) => msg === "request")?.["status"];
  };

  test.each(["end", "destroy", "resetAndDestroy"] as const)(
    "ends quietly and at once when its client leaves by %s while it sends the file",
    async (leave) => {
      const { hostname, port } = new URL(server.origin);
      // At most two imports run at a time.
      for (const requestId of [`${leave}-1`, `${leave}-2`]) {
        const socket = connect(Number(port), hostname);
        await once(socket, "connect");
        socket.write(`${headOf(requestId, 100)}expect: 100-continue\r\n\r\n`);
        // The server reads the body from now on.
        expect(String(await once(socket, "data"))).toContain("100 Continue");
        socket.write("url\n");
        socket[leave]();
        // A body that broke off is refused, unless the connection was reset.
        expect([400, 499]).toContain(await endOf(requestId));
      }
      await expect.poll(async () => (await post(`channel_id=${CHANNEL}`, "url\n")).status).toBe(200);
    },
  );

  test("ends quietly when its client leaves while the file is imported", async () => {
    const { hostname, port } = new URL(server.origin);
    const rows = Array.from({ length: 50_000 }, (_, index) => `t.me/+left${index}00000000\n`);
    const body = `url\n${rows.join("")}`;
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    await new Promise<void>((sent) =>
      socket.write(`${headOf("leaves", body.length)}\r\n${body}`, () => sent()),
    );
    socket.destroy();
    expect(await endOf("leaves")).toBe(499);
  });

  test("takes a file of many megabytes from a client that sends it in small pieces", async () => {
    const { hostname, port } = new URL(server.origin);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    socket.write(
      `POST /import?channel_id=${EMPTY}&dry_run=true HTTP/1.1\r\nhost: x\r\nconnection: close\r\n` +
        `authorization: Bearer ${server.token}\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const answered = text(socket);
    const send = (part: string) => {
      const sent = socket.write(`${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`);
      return sent ? undefined : once(socket, "drain");
    };
    await send("url,name\n");
    for (let portion = 0; portion < 100; portion += 1) {
      const rows = Array.from(
        { length: 100 },
        (_, index) => `t.me/+large${portion}x${index}00000,${"n".repeat(200)}\n`,
      );
      await send(rows.join(""));
    }
    socket.write("0\r\n\r\n");
    const answer = await answered;
    expect(answer).toContain("HTTP/1.1 200");
    expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")))).toMatchObject({
      created: 10_000,
      skipped: 0,
    });
  });
});

test("imports whose clients left before their bodies were read do not keep others out", async () => {
  const own = await createServer({ log: pino({ level: "silent" }), corsOrigins: [], onFinished: () => {} });
  onTestFinished(() => own.close());
  const opens: (() => void)[] = [];
  const counts = { created: 0, updated: 0, known: 0, skipped: 0, channels: 0, tagTypes: 0, tags: 0 };
  const linkTransfer = { requireImport() {}, import: () => ({ run: async () => {}, counts }) };
  const openRequest = async ({ headers }: { headers: Record<string, unknown> }) => {
    if (headers["x-leaves"]) await new Promise<void>((resolve) => opens.push(resolve));
    return { linkTransfer };
  };
  const limits = { bytes: 100, idleMs: 1_000_000 };
  await own.register((inside, _options, registered) => {
    inside.setValidatorCompiler(validatorCompiler);
    inside.setSerializerCompiler(() => JSON.stringify);
    // At most two imports run at a time.
    addTransfer(inside as unknown as RestEndpoint, openRequest as unknown as OpenRequest, limits);
    registered();
  });
  const origin = await own.listen({ port: 0, host: "127.0.0.1" });
  const head = "POST /import HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ncontent-length: 4\r\n";
  for (let count = 1; count <= 2; count += 1) {
    const leaving = new RawConnection(origin);
    leaving.write(`${head}x-leaves: yes\r\n\r\nu`);
    await expect.poll(() => opens).toHaveLength(count);
    // The body that broke off is refused.
    leaving.socket.end();
    await leaving.ended;
  }
  for (const open of opens) open();
  const statusOfNext = async () => {
    const next = new RawConnection(origin);
    next.write(`${head}connection: close\r\n\r\nurl\n`);
    return (await next.answered())[0]?.status;
  };
  await expect.poll(statusOfNext).toBe(200);
});

describe("a body that is spooled", () => {
  const { signal: ended } = new AbortController();
  const statusOf = (spooling: Promise<unknown>) =>
    spooling.then(
      () => 200,
      (error) => (error instanceof RequestRefusedError ? error.statusCode : error),
    );

  test("is refused when nothing comes for a while, however long it takes altogether", async () => {
    const slow = new Readable({ read() {} });
    slow.push("url\n");
    expect(await statusOf(spool(slow, { bytes: 100, idleMs: 20 }, ended))).toBe(408);
    expect(slow.destroyed).toBe(false);
  });

  test("leaves no file behind, even while it is being received", async () => {
    // Other test files receive bodies in the usual folder meanwhile.
    const folder = await mkdtemp(join(tmpdir(), "invite-links-spool-"));
    for (const name of ["TMPDIR", "TEMP"]) vi.stubEnv(name, folder);
    onTestFinished(async () => {
      vi.unstubAllEnvs();
      await rm(folder, { recursive: true, force: true });
    });
    expect(tmpdir()).toBe(folder);
    const body = new Readable({ read() {} });
    body.push("url\n");
    const spooling = spool(body, { bytes: 100, idleMs: 60_000 }, ended);
    await expect.poll(() => body.readableLength).toBe(0);
    expect(await readdir(folder)).toEqual([]);
    body.push("t.me/+x\n");
    body.push(null);
    const spooled = await spooling;
    try {
      for (const time of [1, 2]) {
        expect(await text(spooled.read()), `time ${time}`).toBe("url\nt.me/+x\n");
      }
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await spooled.close();
    }
  });

  test("is not received further once its client has left", async () => {
    const left = new AbortController();
    const spooling = spool(new Readable({ read() {} }), { bytes: 100, idleMs: 60_000 }, left.signal);
    left.abort();
    await expect(spooling).rejects.toBe(left.signal.reason);
    await expect(spool(Readable.from([]), { bytes: 1, idleMs: 1000 }, left.signal)).rejects.toThrow(/abort/);
  });

  test("is not read further once its client has left", async () => {
    const spooled = await spool(
      Readable.from([Buffer.alloc(200_000, "a")]),
      {
        bytes: 200_000,
        idleMs: 60_000,
      },
      ended,
    );
    try {
      const left = new AbortController();
      const reading = spooled.read(left.signal);
      expect((await reading.next()).done).toBe(false);
      left.abort();
      await expect(reading.next()).rejects.toThrow(/abort/);
    } finally {
      await spooled.close();
    }
  });

  test("is refused when it is too large", async () => {
    const large = Readable.from([Buffer.alloc(60, "a"), Buffer.alloc(60, "a")]);
    expect(await statusOf(spool(large, { bytes: 100, idleMs: 60_000 }, ended))).toBe(413);
  });
});

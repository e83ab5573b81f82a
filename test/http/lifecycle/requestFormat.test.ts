import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RawAnswer, sendRaw } from "../../support/rawHttp.js";
import { CHANNEL, PLATFORM, startTestServer, type TestServer, YOUTUBE } from "../../support/server.js";

// Both endpoints check the form of a request before anything is executed: a refused request changes nothing.

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ logLevel: "info" });
});
afterAll(() => server.stop());

interface Endpoint {
  readonly name: string;
  /** The address and the body of a request that creates a link of this name. */
  readonly creating: (name: string) => readonly [path: string, body: string];
  /** The code in the body of a refusal; null if the endpoint's form has none for this status. */
  readonly codeOf: (answer: RawAnswer) => string | null;
}

const ENDPOINTS: readonly Endpoint[] = [
  {
    name: "GraphQL",
    creating: (name) => [
      "/graphql",
      JSON.stringify({
        query: `mutation ($name: String!) { createInviteLink(input: { channelId: ${CHANNEL}, name: $name }) { __typename } }`,
        variables: { name },
      }),
    ],
    codeOf: ({ body, headers }) => {
      expect(body.errors[0].extensions.requestId).toBe(headers["x-request-id"]);
      expect(body.data).toBeUndefined();
      return body.errors[0].extensions.code;
    },
  },
  {
    name: "REST",
    creating: (name) => ["/invite_links", JSON.stringify({ channel_id: CHANNEL, name })],
    codeOf: ({ body, headers, status }) => {
      expect(headers["x-request-id"]).toBeTruthy();
      expect(typeof body.detail).toBe("string");
      expect(Object.keys(body)).toEqual(status === 406 ? ["detail", "code"] : ["detail"]);
      return body.code ?? null;
    },
  },
];

const head = (method: string, path: string, headers: readonly string[], length: number): string[] => [
  `${method} ${path} HTTP/1.1`,
  "host: 127.0.0.1",
  `authorization: Bearer ${server.token}`,
  `content-length: ${length}`,
  ...headers,
];

const post = (path: string, body: Buffer | string, headers: readonly string[]): Promise<RawAnswer> => {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
  return sendRaw(server.origin, head("POST", path, headers, bytes.length), bytes);
};
const get = (path: string, headers: readonly string[] = []) =>
  sendRaw(server.origin, head("GET", path, headers, 0));

const JSON_TYPE = "content-type: application/json";
const names = () => server.sandbox.control.links(CHANNEL).map((link) => link.name);

describe.each(ENDPOINTS)("the form of requests to $name", ({ creating, codeOf }) => {
  const create = (name: string, headers: readonly string[]) => {
    const [path, body] = creating(name);
    return post(path, body, headers);
  };
  const made = { GraphQL: 200, REST: 201 };
  const good = (answer: RawAnswer) => {
    expect(answer.body.errors).toBeUndefined();
    expect(Object.values(made)).toContain(answer.status);
    if (answer.body.data) expect(answer.body.data.createInviteLink.__typename).toMatch(/Success$/);
  };

  test.each([
    [["accept: application/json"]],
    [['accept: application/json; charset="utf-8"']],
    [["accept: application/json; charset=utf8"]],
    [["accept: application/json;charset=US-ASCII"]],
    [["accept: APPLICATION/JSON; Charset=UTF-8"]],
    [["accept: application/json; charset=iso-8859-1, application/json;q=0.1"]],
    [["accept: application/json; charset=iso-8859-1, */*"]],
    [["accept: application/*"]],
    [["accept: */*;q=0.1"]],
    [["accept: image/png, */*;q=0.001"]],
    [["accept: application/json;indent=2"]],
    [["accept: garbage, ;;, application/json"]],
    [["accept: "]],
    [["accept: ,"]],
    [["accept: image/png", "accept: application/json"]],
    [[]],
  ])("a request is executed if its Accept header is %j", async (accept) => {
    const name = `Accepted ${accept.join()}`.slice(0, 30).trim();
    good(await create(name, [JSON_TYPE, ...accept]));
    expect(names()).toContain(name);
  });

  test.each([
    ["application/json; charset=iso-8859-1"],
    ['application/json; charset="utf-16"'],
    ['application/json; charset="iso-8859-1'],
    ["application/json; charset=utf-8; charset=latin1"],
    ["application/json;q=0, application/graphql-response+json;q=0"],
    ["application/json;q=0.000"],
    ["*/*;q=0"],
    ["application/*;q=0, image/*"],
    ["image/png"],
    ["multipart/mixed"],
    ["garbage"],
    ["application/json;q=high"],
  ])("a request with the Accept header %s is refused with 406 before anything is done", async (accept) => {
    const before = names();
    const answer = await create("Refused", [JSON_TYPE, `accept: ${accept}`]);
    expect([answer.status, codeOf(answer)]).toEqual([406, "NOT_ACCEPTABLE"]);
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(names()).toEqual(before);
  });

  test.each([
    ["application/json; charset=utf-8"],
    ['application/json; charset="UTF-8"'],
    ["application/json;charset=utf8"],
    ["Application/JSON ; charset=us-ascii"],
    ["application/json; indent=2"],
  ])("a body of the type %s is accepted", async (type) => {
    const name = `Tüp ${type}`.slice(0, 30);
    good(await create(name, [`content-type: ${type}`]));
    expect(names()).toContain(name);
  });

  test.each([
    ["application/json; charset=iso-8859-1"],
    ["application/json; charset=utf-16le"],
    ['application/json; charset="windows-1252"'],
    ["application/json; charset="],
    ["application/json; charset=utf-8; charset=latin1"],
    ["text/plain"],
    ["application/x-www-form-urlencoded"],
    ["application/json, application/json"],
    ["json"],
    [""],
  ])("a body of the type %j is refused with 415, although its bytes are ASCII", async (type) => {
    const before = names();
    const answer = await create("Refused", [`content-type: ${type}`]);
    expect(answer.status).toBe(415);
    expect([null, "UNSUPPORTED_MEDIA_TYPE"]).toContain(codeOf(answer));
    expect(names()).toEqual(before);
  });

  test.each(["gzip", "br", "deflate", "GZIP", "identity, gzip", "unknown"])(
    "a body in the content encoding %s is refused with 415",
    async (encoding) => {
      const [path, body] = creating("Packed");
      const answer = await post(path, gzipSync(body), [JSON_TYPE, `content-encoding: ${encoding}`]);
      expect(answer.status).toBe(415);
      codeOf(answer);
      const plain = await post(path, body, [JSON_TYPE, `content-encoding: ${encoding}`]);
      expect(plain.status).toBe(415);
      expect(names()).not.toContain("Packed");
    },
  );

  test("a body in the content encoding identity is accepted", async () => {
    good(await create("Identity", [JSON_TYPE, "content-encoding: Identity"]));
  });

  test.each([
    ["a Latin-1 letter", [0xe9]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["half a surrogate pair", [0xed, 0xa0, 0x80]],
    ["a character cut short", [0xf0, 0x9f, 0x98]],
    ["a byte that is never in UTF-8", [0xff]],
  ])("a body with %s in it is refused with 400", async (_what, bytes) => {
    const before = names();
    const [path, body] = creating("Broken XX");
    const [start, end] = body.split("XX");
    const answer = await post(
      path,
      Buffer.concat([Buffer.from(start ?? ""), Buffer.from(bytes), Buffer.from(end ?? "")]),
      [JSON_TYPE],
    );
    expect(answer.status).toBe(400);
    expect([null, "BAD_REQUEST"]).toContain(codeOf(answer));
    expect(names()).toEqual(before);
  });

  test("one byte order mark is dropped, a second one is refused", async () => {
    const [path, body] = creating("Marked");
    good(await post(path, `\uFEFF${body}`, [JSON_TYPE]));
    expect(names()).toContain("Marked");
    expect((await post(path, `\uFEFF\uFEFF${body}`, [JSON_TYPE])).status).toBe(400);
  });

  test.each([
    ["opening brackets", "[".repeat(1024 * 1024)],
    ["opening objects", '{"a":'.repeat(200_000)],
    ["arrays that are closed", `${"[".repeat(500_000)}${"]".repeat(500_000)}`],
    ["objects that are closed", `${'{"a":'.repeat(150_000)}1${"}".repeat(150_000)}`],
    ["arrays just too deep", `${"[".repeat(101)}${"]".repeat(101)}`],
  ])("%s is refused with a typed 400", async (_what, text) => {
    const [path, body] = creating("Deep");
    for (const deep of [text, body.replace('"Deep"', text), body.replace(/}$/, `,"extra":${text}}`)]) {
      const answer = await post(path, deep.slice(0, 1024 * 1024), [JSON_TYPE]);
      expect(answer.status).toBe(400);
      codeOf(answer);
    }
    expect(names()).not.toContain("Deep");
  });

  test("brackets in strings do not count as nesting", async () => {
    const name = `${"[{".repeat(14)}\\"`;
    good(await create(name, [JSON_TYPE]));
    const [path, body] = creating("Texts");
    const answer = await post(path, body.replace(/}$/, `,"extra":"\\"${"[".repeat(500)}"}`), [JSON_TYPE]);
    // GraphQL refuses unknown keys, REST ignores them.
    expect([400, 201]).toContain(answer.status);
    expect(JSON.stringify(answer.body)).not.toContain("nested");
  });
});

describe("the address of a request", () => {
  const BROKEN = ["%E9", "%FF", "%", "%4", "%zz", "%C0%AF", "%ED%A0%80", "%F0%9F"];

  test.each(BROKEN)("an address with %j in its query is refused with 400 by both endpoints", async (text) => {
    const change = `/tags/${YOUTUBE}?channel_id=${CHANNEL}&color=%23123456&type_id=${PLATFORM}&name=${text}`;
    const renamed = await sendRaw(server.origin, head("PATCH", change, [], 0));
    expect([renamed.status, Object.keys(renamed.body)]).toEqual([400, ["detail"]]);
    const listed = await get(`/tags?channel_id=${CHANNEL}&name=${text}`);
    expect(listed.status).toBe(400);
    const asked = await get(`/graphql?query=%7BtagTypes%7Bname%7D%7D&operationName=${text}`);
    expect([asked.status, asked.body.errors[0].extensions.code]).toEqual([400, "BAD_REQUEST"]);
    const posted = await post(`/graphql?x=${text}`, '{"query":"{ viewer { name } }"}', [JSON_TYPE]);
    expect([posted.status, posted.body.errors[0].extensions.code]).toEqual([400, "BAD_REQUEST"]);
  });

  test("an address with non-ASCII bytes is refused with 400 and a code", async () => {
    for (const text of ["\xe9", "caf\xc3\xa9"]) {
      const answer = await get(`/tags?channel_id=${CHANNEL}&name=${text}`);
      expect([answer.status, answer.body.code]).toEqual([400, "BAD_REQUEST"]);
      expect(answer.body.requestId).toBe(answer.headers["x-request-id"]);
    }
  });

  test("an address with invalid percent-encoding in its path is refused with 400 and a code", async () => {
    for (const text of ["%E9", "%FF", "%", "%zz"]) {
      const answer = await get(`/tags/${text}`);
      expect([answer.status, answer.body]).toEqual([
        400,
        { detail: expect.any(String), code: "BAD_REQUEST", requestId: answer.headers["x-request-id"] },
      ]);
    }
  });

  test("an address in percent-encoded UTF-8 is accepted", async () => {
    expect((await get(`/tags?channel_id=${CHANNEL}&name=caf%C3%A9+%F0%9F%98%80`)).status).toBe(200);
    const asked = await get(`/graphql?query=${encodeURIComponent('{ viewer { name } } # "é😀"')}`);
    expect([asked.status, asked.body.data.viewer.name]).toEqual([200, "Sandbox"]);
  });

  test("an address with too deeply nested variables is refused with 400", async () => {
    const deep = encodeURIComponent(`{"id":${"[".repeat(1500)}${"]".repeat(1500)}}`);
    const answer = await get(
      `/graphql?query=${encodeURIComponent("query ($id: ID!) { tag(id: $id) { id } }")}&variables=${deep}`,
    );
    expect([answer.status, answer.body.errors[0].extensions.code]).toEqual([400, "BAD_REQUEST"]);
  });
});

test("repeated Host headers are refused with 400 on every path", async () => {
  for (const path of ["/", "/graphql", "/tags/types", "/healthz"]) {
    for (const second of ["host: 127.0.0.1", "Host: evil.example"]) {
      const answer = await get(path, ["accept: text/html, */*", second]);
      expect(answer.status).toBe(400);
      expect(answer.headers["x-request-id"]).toBeTruthy();
      expect(JSON.stringify(answer.body)).not.toContain(server.token);
    }
  }
});

test("the preferred range of the Accept header decides the media type of GraphQL's answers", async () => {
  const typeOf = async (accept: string) => {
    const answer = await post("/graphql", '{"query":"{ viewer { name } }"}', [
      JSON_TYPE,
      `accept: ${accept}`,
    ]);
    expect(answer.status).toBe(200);
    return answer.headers["content-type"];
  };
  const [json, response] = ["application/json", "application/graphql-response+json"].map(
    (type) => `${type}; charset=utf-8`,
  );
  expect(await typeOf("*/*")).toBe(json);
  expect(await typeOf("application/*")).toBe(json);
  expect(await typeOf("application/graphql-response+json, application/json;q=0.9")).toBe(response);
  expect(await typeOf("application/json;q=0.9, application/graphql-response+json")).toBe(response);
  expect(await typeOf("application/json;q=0, */*")).toBe(response);
  expect(await typeOf('application/graphql-response+json;charset="utf8"')).toBe(response);
  expect(await typeOf("text/event-stream;charset=utf-8")).toBe("text/event-stream");
});

test("a request that is refused for its form is logged and counted", async () => {
  await post("/invite_links", "{}", [JSON_TYPE, "accept: image/png", "x-request-id: refused-form"]);
  await expect
    .poll(() => server.log.find((line) => line["requestId"] === "refused-form"))
    .toMatchObject({ path: "/invite_links", status: 406, codes: ["NOT_ACCEPTABLE"] });
  const metrics = await (await fetch(`${server.origin}/metrics`)).text();
  expect(metrics).toMatch(/http_requests_total\{route="\/invite_links",method="POST",status="406"\} [1-9]/);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { ALL_FORMS, describeOnForms } from "../../support/databases.js";
import {
  CHANNEL,
  GROUP,
  GROUP_TAG,
  PLATFORM,
  startTestServer,
  type TestServer,
  YOUTUBE,
} from "../../support/server.js";
import { globalId, MISSING_ID, mutating } from "../mutations/mutating.js";

interface Entry {
  readonly id: string;
  readonly at: string;
  readonly caller: string;
  readonly callerName: string | null;
  readonly action: string;
  readonly subjectId: string | null;
  readonly channelId: number | null;
  readonly change: object;
}

interface Connection {
  readonly nodes: Entry[];
  readonly edges: { readonly cursor: string }[];
  readonly totalCount: number;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly hasPreviousPage: boolean };
}

const FIELDS = "id at caller callerName action subjectId channelId change";
const QUERY = `query ($filter: AuditFilter, $first: Int, $after: String, $last: Int, $before: String) {
  auditEntries(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    totalCount nodes { ${FIELDS} } edges { cursor } pageInfo { hasNextPage hasPreviousPage }
  }
}`;

const NODE = `query ($id: ID!) { node(id: $id) { ... on AuditEntry { ${FIELDS} } } }`;

await describeOnForms("audit entries over HTTP", ALL_FORMS, (form) => {
  let server: TestServer;
  let tokens: Record<"VIEWER" | "EDITOR" | "ADMIN", string>;
  /** Global ids of a link in each channel. */
  let links: { own: string; foreign: string };

  beforeAll(async () => {
    server = await startTestServer({ adminToken: "administrator-of-the-test" }, form);
    const limited = (role: string) => server.makeToken({ role, channelIds: [CHANNEL] });
    tokens = {
      VIEWER: await limited("VIEWER"),
      EDITOR: await limited("EDITOR"),
      ADMIN: await limited("ADMIN"),
    };
    const mutate = mutating(server);
    const create = async (channelId: number) =>
      (await mutate("createInviteLink", { channelId, name: "Ad" }, "inviteLink { id }")).inviteLink.id;
    links = { own: await create(CHANNEL), foreign: await create(GROUP) };
    for (const id of [links.own, links.foreign]) {
      await mutate("updateInviteLink", { id, name: "Banner" });
      await mutate("updateInviteLink", { id, name: "Poster" }, "__typename");
    }
    await mutate("updateTag", { id: YOUTUBE, color: "#123456" }, "__typename", tokens.EDITOR);
    await mutate("updateTag", { id: GROUP_TAG, color: "#123456" });
    await mutate("updateTagType", { id: PLATFORM, name: "Media" });
  });
  afterAll(() => server?.stop());

  const ask = (variables: object, token = server.token) => server.ask(QUERY, variables, token);
  const read = async (variables: object, token = server.token): Promise<Connection> => {
    const { data, errors } = await ask(variables, token);
    expect(errors).toBeUndefined();
    return data.auditEntries;
  };
  const codesOf = async (variables: object, token = server.token) =>
    (await ask(variables, token)).errors?.map(({ extensions }) => extensions.code);
  const nodeOf = async (id: string, token = server.token) =>
    (await server.ask(NODE, { id }, token)).data.node;

  test("an administrator of all channels sees every change, the latest first, page by page", async () => {
    const all = await read({ first: 100 });
    expect(all.totalCount).toBe(all.nodes.length);
    expect(all.nodes.slice(0, 3)).toMatchObject([
      {
        action: "tagType.update",
        subjectId: globalId("TagType", PLATFORM),
        channelId: null,
        change: { name: { from: expect.any(String), to: "Media" } },
      },
      { action: "tag.update", subjectId: globalId("Tag", GROUP_TAG), channelId: GROUP },
      { action: "tag.update", subjectId: globalId("Tag", YOUTUBE), channelId: CHANNEL },
    ]);
    expect(all.nodes[0]).toMatchObject({ caller: "admin", callerName: "ADMIN_TOKEN" });
    expect(all.nodes[2]).toMatchObject({
      caller: expect.stringMatching(/^token:/),
      callerName: "Test EDITOR",
    });

    const pages: Entry[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await read({ first: 4, after });
      pages.push(...page.nodes);
      expect(page.pageInfo.hasPreviousPage).toBe(after !== undefined);
      after = page.edges.at(-1)?.cursor;
      if (!page.pageInfo.hasNextPage) break;
    }
    expect(pages).toEqual(all.nodes);
    const end = await read({ last: 3, before: all.edges.at(-1)?.cursor });
    expect(end.nodes).toEqual(all.nodes.slice(-4, -1));
    expect(await nodeOf(all.nodes[0]?.id as string)).toEqual(all.nodes[0]);
    expect(await nodeOf(globalId("AuditEntry", MISSING_ID))).toBeNull();
  });

  test("each condition of the filter leaves the entries that meet it", async () => {
    const { nodes } = await read({ first: 100 });
    const expectLeft = async (filter: object, passes: (entry: Entry) => boolean) => {
      const left = await read({ filter, first: 100 });
      const expected = nodes.filter(passes);
      expect(left.nodes).toEqual(expected);
      expect(left.totalCount).toBe(expected.length);
      expect(expected.length).toBeGreaterThan(0);
    };
    await expectLeft({ channelId: GROUP }, ({ channelId }) => channelId === GROUP);
    for (const subjectId of [links.own, Buffer.from(links.own, "base64").toString().split(":")[1]])
      await expectLeft({ subjectId }, (entry) => entry.subjectId === links.own);
    await expectLeft({ caller: "admin" }, ({ caller }) => caller === "admin");
    const actions = ["tag.update", "tagType.update", "tag.unknown"];
    await expectLeft({ actions }, ({ action }) => actions.includes(action));
    const [from, to] = [nodes[5]?.at as string, nodes[1]?.at as string];
    await expectLeft({ from, to }, ({ at }) => at >= from && at < to);
    const both = { channelId: CHANNEL, actions: ["inviteLink.update"], caller: "admin" };
    await expectLeft(
      both,
      ({ channelId, action }) => channelId === CHANNEL && action === "inviteLink.update",
    );
    for (const filter of [
      { actions: [] },
      { caller: "nobody" },
      { channelId: -100999 },
      { subjectId: MISSING_ID },
    ])
      expect(await read({ filter })).toMatchObject({ totalCount: 0, nodes: [] });
  });

  test("an administrator of one channel sees the entries of the channel alone", async () => {
    const everything = (await read({ first: 100 })).nodes;
    const own = everything.filter(({ channelId }) => channelId === CHANNEL);
    const seen = await read({ first: 100 }, tokens.ADMIN);
    expect([seen.nodes, seen.totalCount]).toEqual([own, own.length]);
    expect(own.length).toBeGreaterThan(3);
    expect(await codesOf({ filter: { channelId: GROUP } }, tokens.ADMIN)).toEqual(["FORBIDDEN"]);
    expect(await codesOf({ filter: { channelId: -100999 } }, tokens.ADMIN)).toEqual(["FORBIDDEN"]);
    for (const filter of [
      { subjectId: links.foreign },
      { subjectId: GROUP_TAG },
      { subjectId: PLATFORM },
      { actions: ["apiToken.create", "tagType.update"] },
    ])
      expect(await read({ filter }, tokens.ADMIN)).toMatchObject({
        totalCount: 0,
        nodes: [],
        pageInfo: { hasNextPage: false, hasPreviousPage: false },
      });
    const byAdmin = await read({ filter: { caller: "admin" }, first: 100 }, tokens.ADMIN);
    expect(byAdmin.nodes).toEqual(own.filter(({ caller }) => caller === "admin"));
    // A cursor is a place in time. What lies there is not told.
    const cursors = (await read({ first: 100 })).edges;
    const place = everything.findIndex(({ channelId }) => channelId === GROUP);
    const behind = await read({ after: cursors[place]?.cursor, first: 100 }, tokens.ADMIN);
    expect(behind.nodes).toEqual(everything.slice(place).filter(({ channelId }) => channelId === CHANNEL));
    for (const entry of everything)
      expect(await nodeOf(entry.id, tokens.ADMIN)).toEqual(entry.channelId === CHANNEL ? entry : null);
  });

  test.each(["VIEWER", "EDITOR"] as const)(
    "a token with the role %s sees the entries of a link or tag that it may see, and no others",
    async (role) => {
      const token = tokens[role];
      const everything = (await read({ first: 100 })).nodes;
      for (const subjectId of [links.own, globalId("Tag", YOUTUBE)]) {
        const about = everything.filter((entry) => entry.subjectId === subjectId);
        const seen = await read({ filter: { subjectId } }, token);
        expect([seen.nodes, seen.totalCount]).toEqual([about, about.length]);
        expect(about.length).toBeGreaterThan(0);
      }
      const refusals = await Promise.all(
        [null, {}, { subjectId: links.foreign }, { subjectId: GROUP_TAG }, { subjectId: MISSING_ID }].map(
          async (filter) => (await ask({ filter }, token)).errors,
        ),
      );
      for (const errors of [...refusals, (await ask({ filter: { subjectId: PLATFORM } }, token)).errors])
        expect(errors?.map(({ message, extensions: { code } }) => [message, code])).toEqual([
          [expect.stringContaining("subjectId"), "FORBIDDEN"],
        ]);
      const foreignChannel = { subjectId: links.own, channelId: GROUP };
      expect(await codesOf({ filter: foreignChannel }, token)).toEqual(["FORBIDDEN"]);
      const shown = [links.own, globalId("Tag", YOUTUBE)];
      for (const entry of everything) {
        const maySee = shown.includes(entry.subjectId ?? "") || entry.action.startsWith("inviteLink.");
        const isOwn = entry.channelId === CHANNEL && (maySee || entry.action.startsWith("tag."));
        expect(await nodeOf(entry.id, token)).toEqual(isOwn ? entry : null);
      }
    },
  );

  test("values that are not acceptable are refused by name", async () => {
    for (const [filter, field] of [
      [{ subjectId: "nothing" }, "filter.subjectId"],
      [{ subjectId: "" }, "filter.subjectId"],
      [{ caller: "\0" }, "filter.caller"],
      [{ actions: ["\ud800"] }, "filter.actions"],
      [{ actions: Array<string>(101).fill("tag.update") }, "filter.actions"],
    ] as const) {
      const { errors } = await ask({ filter });
      expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["BAD_USER_INPUT"]);
      expect(JSON.stringify(errors)).toContain(field);
    }
    expect(await codesOf({ after: "nothing" })).toEqual(["BAD_USER_INPUT"]);
    expect(await codesOf({ first: 101 })).toEqual(["BAD_USER_INPUT"]);
    expect(await codesOf({}, "invl_wrong")).toEqual(["UNAUTHENTICATED"]);
  });

  test("a page with all its fields takes one statement, and its count another", async () => {
    const sent = await server.statementsOf(QUERY, { first: 100 });
    expect(sent.filter((text) => text.includes("audit_entry a"))).toHaveLength(2);
  });
});

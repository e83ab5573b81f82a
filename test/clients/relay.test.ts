import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type ConcreteRequest,
  commitMutation,
  createOperationDescriptor,
  Environment,
  fetchQuery,
  type GraphQLResponse,
  getPaginationMetadata,
  getPaginationVariables,
  getSingularSelector,
  Network,
  type OperationType,
  type ReaderFragment,
  RecordSource,
  Store,
  type Variables,
} from "relay-runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer, YOUTUBE } from "../support/server.js";
import { DEAREST_FIRST, describeWith, expectSilentConsole, listedIds, ON_YOUTUBE } from "./support.js";

const require = createRequire(import.meta.url);
const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The path of the npm package's compiler; null if the package has no build for this machine. */
const compiler: string | null = require("relay-compiler");

/** Compiles the documents against schema.graphql to plain CommonJS. */
async function compile(folder: string): Promise<void> {
  const config = join(folder, "relay.config.json");
  const settings = {
    src: pathOf("relay"),
    schema: pathOf("../../schema.graphql"),
    artifactDirectory: folder,
    language: "javascript",
    eagerEsModules: false,
  };
  await writeFile(config, JSON.stringify(settings));
  await promisify(execFile)(compiler ?? "", ["--noWatchman", config]);
}

interface Link {
  readonly id: string;
  readonly name: string;
}
interface Connection {
  readonly __id: string;
  readonly totalCount: number;
  readonly edges: readonly { readonly node: object & { readonly id: string } }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
}
interface HasConnection {
  readonly inviteLinks: Connection;
}
const idsOf = ({ inviteLinks }: HasConnection): string[] => inviteLinks.edges.map(({ node }) => node.id);

/** A front end without React: Relay's store and network, and the work of its hooks. */
class FrontEnd {
  readonly #artifacts: string;
  readonly environment: Environment;

  constructor(server: TestServer, artifacts: string, token = server.token) {
    this.#artifacts = artifacts;
    this.environment = new Environment({
      store: new Store(new RecordSource()),
      network: Network.create(async ({ text }, variables) => {
        const answer = await server.ask(text ?? "", variables, token);
        return { data: answer.data, errors: answer.errors } as unknown as GraphQLResponse;
      }),
    });
  }

  artifact<T>(name: string): T {
    return require(join(this.#artifacts, `${name}.graphql.js`));
  }

  /** Sends a query and keeps its result from Relay's garbage collection. */
  async query(request: ConcreteRequest, variables: Variables): Promise<object> {
    this.environment.retain(createOperationDescriptor(request, variables));
    const data = await fetchQuery<OperationType>(this.environment, request, variables).toPromise();
    return data as object;
  }

  /** The data that a component with this fragment receives. */
  read<T>(name: string, reference: object): T {
    const selector = getSingularSelector(this.artifact<ReaderFragment>(name), reference);
    if (selector == null) throw new TypeError(`The store has nothing for ${name}.`);
    const { data, isMissingData } = this.environment.lookup(selector);
    expect(isMissingData).toBe(false);
    return data as T;
  }

  /** Does what loadNext of usePaginationFragment does. */
  async loadNext(name: string, reference: object): Promise<void> {
    const fragment = this.artifact<ReaderFragment>(name);
    const { paginationRequest, paginationMetadata, identifierField } = getPaginationMetadata(fragment, name);
    const { inviteLinks, id } = this.read<HasConnection & { id?: string }>(name, reference);
    const { variables = {}, owner } = getSingularSelector(fragment, reference) ?? {};
    const asked = getPaginationVariables(
      "forward",
      3,
      inviteLinks.pageInfo.endCursor,
      { ...owner?.variables, ...variables },
      identifierField == null ? {} : { id },
      paginationMetadata,
    );
    await this.query(paginationRequest, asked);
  }

  /** Loads all pages of a list. */
  async loadAll(name: string, reference: object): Promise<HasConnection> {
    for (;;) {
      const list = this.read<HasConnection>(name, reference);
      if (!list.inviteLinks.pageInfo.hasNextPage) return list;
      await this.loadNext(name, reference);
    }
  }

  mutate(mutation: ConcreteRequest, variables: Variables) {
    // biome-ignore lint/suspicious/noExplicitAny: the shape of a response depends on its document.
    return new Promise<any>((resolve, reject) => {
      commitMutation(this.environment, { mutation, variables, onCompleted: resolve, onError: reject });
    });
  }
}

describeWith(
  "Relay",
  compiler === null ? `relay-compiler has no build for ${process.platform} on ${process.arch}` : null,
  () => {
    let server: TestServer;
    let artifacts: string;
    beforeAll(async () => {
      artifacts = await mkdtemp(join(tmpdir(), "invite-links-relay-"));
      await compile(artifacts);
      server = await startTestServer();
    });
    afterAll(async () => {
      await server.stop();
      await rm(artifacts, { recursive: true, force: true });
    });
    expectSilentConsole();

    const LINKS = "documentsLinks";
    const show = async (frontEnd: FrontEnd, variables: Variables = {}) =>
      frontEnd.query(frontEnd.artifact("documentsLinksQuery"), { channelId: CHANNEL, ...variables });

    describe("a connection", () => {
      test("a connection on Query loads page by page and contains each link once", async () => {
        const frontEnd = new FrontEnd(server, artifacts);
        const reference = await show(frontEnd);
        const first = frontEnd.read<HasConnection>(LINKS, reference);
        const all = await frontEnd.loadAll(LINKS, reference);
        expect(idsOf(first)).toEqual(idsOf(all).slice(0, 7));
        expect(idsOf(all)).toEqual(await listedIds(server));
        expect(all.inviteLinks.totalCount).toBe(idsOf(all).length);
        const links = all.inviteLinks.edges.map(({ node }) => frontEnd.read<Link>("documentsLink", node));
        expect(links).toContainEqual(expect.objectContaining({ name: "Morning show", budget: "120.00" }));
      });

      test("a connection with another filter or order is stored separately", async () => {
        const frontEnd = new FrontEnd(server, artifacts);
        const all = await show(frontEnd);
        const before = await frontEnd.loadAll(LINKS, all);
        const filtered = await frontEnd.loadAll(LINKS, await show(frontEnd, { filter: ON_YOUTUBE }));
        expect(idsOf(filtered)).toEqual(await listedIds(server, { filter: ON_YOUTUBE }));
        const ordered = await frontEnd.loadAll(LINKS, await show(frontEnd, { orderBy: DEAREST_FIRST }));
        expect(idsOf(ordered)).toEqual(await listedIds(server, { orderBy: DEAREST_FIRST }));
        expect(frontEnd.read<HasConnection>(LINKS, all)).toEqual(before);
      });

      test("a connection on Tag is refetched through Query.node", async () => {
        const frontEnd = new FrontEnd(server, artifacts);
        const request = frontEnd.artifact<ConcreteRequest>("documentsTagQuery");
        const { tag } = (await frontEnd.query(request, { id: YOUTUBE })) as { tag: object };
        expect(frontEnd.read<Link & HasConnection>("documentsTag", tag).name).toBe("YouTube");
        const all = await frontEnd.loadAll("documentsTag", tag);
        expect(idsOf(all).length).toBeGreaterThan(2 + 3);
        const { data } = await server.ask(
          `{ tag(id: "${YOUTUBE}") { inviteLinks(first: 100) { nodes { id } } } }`,
        );
        expect(idsOf(all)).toEqual(data.tag.inviteLinks.nodes.map(({ id }: Link) => id));
      });
    });

    describe("a mutation", () => {
      test("createInviteLink puts its link into the store and at the head of a list", async () => {
        const frontEnd = new FrontEnd(server, artifacts);
        const reference = await show(frontEnd);
        const before = frontEnd.read<HasConnection>(LINKS, reference);
        const { createInviteLink } = await frontEnd.mutate(frontEnd.artifact("documentsCreateMutation"), {
          input: { channelId: CHANNEL, name: "Relay", tagIds: [YOUTUBE] },
          connections: [before.inviteLinks.__id],
        });
        expect(createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
        const { id } = createInviteLink.inviteLink;
        const list = frontEnd.read<HasConnection>(LINKS, reference);
        expect(idsOf(list)).toEqual([id, ...idsOf(before)]);
        const [made] = list.inviteLinks.edges;
        expect(frontEnd.read("documentsLink", made?.node ?? {})).toMatchObject({
          name: "Relay",
          tags: [{ name: "YouTube" }],
        });
      });

      test("createInviteLink returns user errors as types of the data", async () => {
        const variables = { input: { channelId: CHANNEL, name: "" }, connections: [] };
        const frontEnd = new FrontEnd(server, artifacts);
        const mutation = frontEnd.artifact<ConcreteRequest>("documentsCreateMutation");
        expect((await frontEnd.mutate(mutation, variables)).createInviteLink).toEqual({
          __typename: "ValidationError",
          code: "BAD_USER_INPUT",
          message: expect.any(String),
          fieldErrors: [{ field: "name", message: expect.any(String) }],
        });
        const reader = new FrontEnd(server, artifacts, await server.makeToken({ role: "VIEWER" }));
        expect((await reader.mutate(mutation, variables)).createInviteLink).toEqual({
          __typename: "ForbiddenError",
          code: "FORBIDDEN",
          message: expect.any(String),
        });
      });
    });
  },
);

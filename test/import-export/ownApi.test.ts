import { afterAll, beforeAll, expect, test } from "vitest";
import { LinkImport } from "../../src/domain/transfer/importLinks.js";
import { RestSource } from "../../src/import-export/restSource.js";
import { openTestDatabase, type TestDatabase, USUAL_FORMS } from "../support/databases.js";
import { CHANNEL, startTestServer, type TestServer } from "../support/server.js";

let server: TestServer;
let empty: TestDatabase;
beforeAll(async () => {
  server = await startTestServer();
  empty = await openTestDatabase(USUAL_FORMS[0] ?? "embedded");
});
afterAll(async () => {
  await server.stop();
  await empty.close();
});

async function takeOver() {
  const skipped: unknown[] = [];
  const source = new RestSource({
    url: new URL(server.origin),
    token: server.token,
    chatId: CHANNEL,
    pageSize: 10,
  });
  const importing = new LinkImport(
    empty.database,
    { key: "test", chatIds: null },
    {
      chatId: CHANNEL,
      update: false,
      dryRun: false,
      onSkipped: (row) => skipped.push(row),
      onProgress: () => {},
    },
  );
  await importing.run(source.rows());
  expect(skipped).toEqual([]);
  return importing.counts;
}

test("an import from this server's own REST face copies all links, and a second import changes nothing", async () => {
  const { data } = await server.ask(`{
    inviteLinks(channelId: ${CHANNEL}, first: 100) {
      totalCount
      nodes { url name budget isBotCreated creatorId memberLimit createsJoinRequest tags { name color type { name } } }
    }
  }`);
  const { nodes, totalCount } = data.inviteLinks;
  expect(await takeOver()).toMatchObject({ created: totalCount, known: 0, skipped: 0 });

  const rows = await empty.database.prisma.inviteLink.findMany({
    include: { tags: { include: { tag: { include: { type: true } } } } },
  });
  const byUrl = (one: { url: string }, other: { url: string }) => (one.url < other.url ? -1 : 1);
  const byName = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1);
  expect(
    rows
      .map(({ url, name, budget, isBotCreated, creatorId, memberLimit, createsJoinRequest, tags }) => ({
        url,
        name,
        budget: budget.toFixed(2),
        isBotCreated,
        creatorId: creatorId === null ? null : Number(creatorId),
        memberLimit,
        createsJoinRequest,
        tags: tags
          .map(({ tag }) => ({ name: tag.name, color: tag.color, type: { name: tag.type.name } }))
          .sort(byName),
      }))
      .sort(byUrl),
  ).toEqual(
    nodes
      .map((link: { url: string; tags: { name: string }[] }) => ({ ...link, tags: link.tags.sort(byName) }))
      .sort(byUrl),
  );

  expect(await takeOver()).toMatchObject({ created: 0, updated: 0, known: totalCount, skipped: 0 });
});

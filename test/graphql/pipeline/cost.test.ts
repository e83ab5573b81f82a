import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server?.stop());

const cheap = { from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z", unit: "DAY" };
const longer = { ...cheap, from: "2020-01-01T00:00:00Z" };
const finer = { ...cheap, to: "2026-02-11T00:00:00Z", unit: "HOUR" };

test.each([
  ["a cheap one first", "one", [cheap, longer, finer]],
  ["a costly one first", "two", [finer, longer, cheap]],
])("each request of one document is judged by its own times and unit, %s", async (_which, name, given) => {
  const series = ["a", "b", "c"].map(
    (alias) => `${alias}: series(from: $from, to: $to, unit: $unit) { from }`,
  );
  const query = `query ${name}($from: DateTime!, $to: DateTime!, $unit: TimeUnit!) {
    inviteLinks(channelId: -1001, first: 100) { nodes { stats { ${series.join(" ")} } } } }`;
  for (const variables of [...given, ...given]) {
    const { data, errors } = await server.ask(query, variables);
    if (variables === cheap) expect(data).toEqual({ inviteLinks: { nodes: [] } });
    else expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["QUERY_TOO_COSTLY"]);
  }
});

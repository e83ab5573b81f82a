import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import { CHANNEL, PLATFORM, type TestServer, YOUTUBE } from "../support/server.js";

/**
 * A suite for machines that have what it needs.
 * @param missing what the machine lacks; the suite is then one skipped test that names it. Null runs the suite.
 */
export function describeWith(title: string, missing: string | null, suite: () => void): void {
  describe(title, () => {
    if (missing === null) suite();
    else it.skip(`skipped: ${missing}`);
  });
}

/** Fails every test of the file in which a client writes a warning or an error on the console. */
export function expectSilentConsole(): void {
  let consoles: MockInstance[];
  beforeEach(() => {
    consoles = (["warn", "error"] as const).map((level) => vi.spyOn(console, level).mockReturnValue());
  });
  afterEach(() => {
    const messages = consoles.flatMap(({ mock }) => mock.calls);
    for (const spy of consoles) spy.mockRestore();
    expect(messages).toEqual([]);
  });
}

/** A filter that matches some links of the sample. */
export const ON_YOUTUBE = { tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] };
/** An order by two fields, other than the default order. */
export const DEAREST_FIRST = [{ field: "BUDGET", direction: "DESC" }, { field: "NAME" }];

/** The ids of all matching links of the channel, read from the server in one page. */
export async function listedIds(
  server: TestServer,
  variables: { readonly filter?: object; readonly orderBy?: readonly object[] } = {},
): Promise<string[]> {
  const { data } = await server.ask(
    `query ($filter: InviteLinkFilter, $orderBy: [InviteLinkOrder!]) {
      inviteLinks(channelId: ${CHANNEL}, filter: $filter, orderBy: $orderBy, first: 100) { nodes { id } } }`,
    variables,
  );
  return data.inviteLinks.nodes.map(({ id }: { id: string }) => id);
}

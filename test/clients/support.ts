import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import { CHANNEL, PLATFORM, type TestServer, YOUTUBE } from "../support/server.js";

/** A suite that needs what not every machine has: without it, it is one skipped test that says what is missing. */
export function describeWith(title: string, missing: string | null, suite: () => void): void {
  describe(title, () => {
    if (missing === null) suite();
    else it.skip(`is left out: ${missing}`);
  });
}

/** Clients say on the console what they cannot read, place or merge: no test of the file may pass with that. */
export function refuseComplaints(): void {
  let consoles: MockInstance[];
  beforeEach(() => {
    consoles = (["warn", "error"] as const).map((level) => vi.spyOn(console, level).mockReturnValue());
  });
  afterEach(() => {
    const complaints = consoles.flatMap(({ mock }) => mock.calls);
    for (const spy of consoles) spy.mockRestore();
    expect(complaints).toEqual([]);
  });
}

/** A filter that some links of the sample match. */
export const ON_YOUTUBE = { tagGroups: [{ tagTypeId: PLATFORM, tagIds: [YOUTUBE] }] };
/** An order that is not the usual one, by more than one thing. */
export const DEAREST_FIRST = [{ field: "BUDGET", direction: "DESC" }, { field: "NAME" }];

/** The ids of the channel's links that match, as the server lists them at once. */
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

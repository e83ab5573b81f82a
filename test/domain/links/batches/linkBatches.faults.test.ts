import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SandboxFault } from "../../../../src/sandbox/faults.js";
import { describeOnForms } from "../../../support/databases.js";
import { LiveBed, type LiveServer, NEWS } from "../../../support/liveServers.js";
import { propertyInTime } from "../../../support/properties.js";

const CREATE = `mutation ($input: CreateInviteLinksInput!) { createInviteLinks(input: $input) {
  __typename ... on CreateInviteLinksSuccess { batch { id } } ... on UserError { message } } }`;
const READ = `query ($id: ID!) { node(id: $id) { ... on InviteLinkBatch {
  state totalCount madeCount failedCount uncertainCount finishedAt
  items(first: 100) { nodes { name state inviteLink { url name } error { code } } } } } }`;

interface Item {
  readonly name: string;
  readonly state: string;
  readonly inviteLink: { readonly url: string; readonly name: string } | null;
  readonly error: { readonly code: string } | null;
}

/** A fault, and what it makes of the link whose call it meets. */
interface Answer {
  readonly fault: SandboxFault;
  readonly outcome: "put off" | "failed" | "uncertain";
}

const ANSWERS: readonly Answer[] = [
  { fault: { kind: "too-many-requests", retryAfter: 1 }, outcome: "put off" },
  {
    fault: { kind: "error", error_code: 400, description: "Bad Request: EXPIRE_DATE_INVALID" },
    outcome: "failed",
  },
  { fault: { kind: "hang", effect: "before" }, outcome: "uncertain" },
  { fault: { kind: "hang", effect: "after" }, outcome: "uncertain" },
  { fault: { kind: "cut", effect: "before" }, outcome: "uncertain" },
  { fault: { kind: "cut", effect: "after" }, outcome: "uncertain" },
  { fault: { kind: "half-body" }, outcome: "uncertain" },
  { fault: { kind: "not-json" }, outcome: "uncertain" },
  { fault: { kind: "server-error", status: 502, body: "html", effect: "after" }, outcome: "uncertain" },
  { fault: { kind: "server-error", effect: "before" }, outcome: "uncertain" },
];

const LINKS = 6;

await describeOnForms("batches under faults", ["embedded", "server"], (form) => {
  let bed: LiveBed;
  let server: LiveServer;
  let round = 0;
  beforeAll(async () => {
    bed = await LiveBed.prepare(form);
    server = await bed.start(0, { telegramTimeoutMs: 1000 });
    await server.ask(`mutation { connectChannel(input: { chat: "${NEWS}" }) { __typename } }`);
  });
  afterAll(() => bed?.close());

  test("each link of a batch exists once in Telegram or not at all, as its item says, whatever Telegram answers", {
    timeout: 120_000,
  }, async () => {
    const answers = fc.array(fc.option(fc.constantFrom(...ANSWERS), { freq: 2 }), {
      minLength: LINKS,
      maxLength: LINKS,
    });
    const { control } = bed.telegram;
    await fc.assert(
      propertyInTime(answers, async (given) => {
        control.clearFaults();
        round += 1;
        const [method, prefix] = ["createChatInviteLink", `round ${round} link `];
        // A fault skips the calls that succeed.
        let skip = 0;
        for (const answer of given) {
          if (answer) control.fail(answer.fault, { method, skip });
          else skip += 1;
        }
        const expected = (outcome: Answer["outcome"]) =>
          given.filter((answer) => answer?.outcome === outcome).length;
        const links = given.map((_, index) => ({ name: `${prefix}${index}` }));
        const { data } = await server.ask(CREATE, { input: { channelId: NEWS, links } });
        const { id } = data.createInviteLinks.batch;
        const read = async () => (await server.ask(READ, { id })).data.node;
        await expect
          .poll(async () => (await read()).finishedAt, { interval: 50, timeout: 60_000 })
          .not.toBeNull();
        const batch = await read();
        const items: readonly Item[] = batch.items.nodes;
        for (const { name, state, inviteLink } of items) {
          const made = control.links(NEWS).filter((link) => link.name === name);
          const calls = control.calls(method).filter(({ parameters }) => parameters["name"] === name);
          if (state === "MADE") expect(made, name).toMatchObject([{ url: inviteLink?.url }]);
          else if (state === "FAILED") expect(made, name).toEqual([]);
          else expect(state).toBe("UNCERTAIN");
          // Only a 429 says that the call had no effect and may be repeated.
          expect(calls.length, name).toBeLessThanOrEqual(1 + expected("put off"));
          expect(made.length, name).toBeLessThan(2);
        }
        const count = (wanted: string) => items.filter(({ state }) => state === wanted).length;
        expect(batch).toMatchObject({
          state: "DONE",
          totalCount: LINKS,
          madeCount: count("MADE"),
          failedCount: count("FAILED"),
          uncertainCount: count("UNCERTAIN"),
        });
        // A call that a busy machine delays beyond its time is uncertain too.
        expect(count("FAILED")).toBeLessThanOrEqual(expected("failed"));
        expect(count("MADE")).toBeLessThanOrEqual(LINKS - expected("failed") - expected("uncertain"));
      }),
      { numRuns: 5 },
    );
  });
});

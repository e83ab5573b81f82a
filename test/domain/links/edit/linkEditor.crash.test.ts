import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { type Sandbox, startSandbox } from "../../../../src/sandbox/sandbox.js";
import { askAt, ServerProcess } from "../../../support/process.js";

const CHAT = -1_001_000_000_007;
const ADMIN_TOKEN = "an-admin-token-of-my-own";
const bot = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "bot", firstName: "Bot" };

let telegram: Sandbox;
let dataDir: string;
let running: ServerProcess[];
beforeEach(async () => {
  telegram = await startSandbox({
    bot,
    initial: { chats: [{ id: CHAT, type: "channel", title: "Crashing" }] },
  });
  dataDir = await mkdtemp(join(tmpdir(), "invite-links-crash-"));
  await mkdir(join(dataDir, "live"), { mode: 0o700 });
  await cp(inject("embeddedTemplate"), join(dataDir, "live"), { recursive: true });
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((server) => server.end("SIGKILL")));
  await telegram.close();
  await rm(dataDir, { recursive: true, force: true });
});

const start = async () => {
  const server = new ServerProcess({
    DATA_DIR: dataDir,
    TELEGRAM_BOT_TOKEN: bot.token,
    TELEGRAM_API_ROOT: telegram.apiRoot,
    // The deadline is later than the kill, so that a hanging call is not given up before.
    TELEGRAM_TIMEOUT_MS: "60000",
    ADMIN_TOKEN,
  });
  running.push(server);
  const url = await server.ready();
  return { server, ask: async (query: string) => (await askAt(url, ADMIN_TOKEN, query)).data };
};

const LINK = "inviteLink { name memberLimit isRevoked }";
const edit = (id: string, name: string) =>
  `mutation { result: updateInviteLink(input: { id: "${id}", name: "${name}" }) { __typename
    ... on UpdateInviteLinkSuccess { ${LINK} } } }`;
const revoke = (id: string) =>
  `mutation { result: revokeInviteLink(input: { id: "${id}" }) { __typename ... on RevokeInviteLinkSuccess { ${LINK} } } }`;

interface Scenario {
  readonly effect: "before" | "after";
  /** The request during which the server is killed. */
  readonly lost: (id: string) => string;
  /** The request that follows instead of a repetition. */
  readonly instead?: (id: string) => string;
  readonly method: "editChatInviteLink" | "revokeChatInviteLink";
  readonly outcome: { readonly name: string; readonly isRevoked: boolean };
}

const editChatInviteLink = {
  method: "editChatInviteLink",
  lost: (id: string) => edit(id, "After"),
  outcome: { name: "After", isRevoked: false },
} as const;
const revokeChatInviteLink = {
  method: "revokeChatInviteLink",
  lost: revoke,
  outcome: { name: "Before", isRevoked: true },
} as const;
const goingBack = {
  instead: (id: string) => edit(id, "Before"),
  outcome: { name: "Before", isRevoked: false },
};
const scenarios: readonly Scenario[] = [
  { effect: "before", ...editChatInviteLink },
  { effect: "after", ...editChatInviteLink },
  { effect: "after", ...editChatInviteLink, ...goingBack },
  { effect: "before", ...revokeChatInviteLink },
  { effect: "after", ...revokeChatInviteLink },
];

test("an edit during which a server was killed, before or after Telegram carried it out, is put right by the next edit", async () => {
  const { control } = telegram;
  const first = await start();
  const links: { id: string; url: string }[] = [];
  const lost: Promise<unknown>[] = [];
  for (const scenario of scenarios) {
    const { createInviteLink } = await first.ask(
      `mutation { createInviteLink(input: { channelId: ${CHAT}, name: "Before", memberLimit: 5 }) {
        ... on CreateInviteLinkSuccess { inviteLink { id url } } } }`,
    );
    const link = createInviteLink.inviteLink as { id: string; url: string };
    links.push(link);
    control.fail({ kind: "hang", effect: scenario.effect }, { method: scenario.method });
    const called = control.nextCall(scenario.method);
    lost.push(first.ask(scenario.lost(link.id)).catch(() => "lost"));
    await called;
  }
  await first.server.end("SIGKILL");
  expect(await Promise.all(lost)).toEqual(scenarios.map(() => "lost"));

  const second = await start();
  for (const [index, { lost: again, instead = again, method, outcome }] of scenarios.entries()) {
    const { id, url } = links[index] as { id: string; url: string };
    const before = await second.ask(`{ inviteLink(id: "${id}") { name isRevoked } }`);
    expect(before.inviteLink).toEqual({ name: "Before", isRevoked: false });
    const { result } = await second.ask(instead(id));
    expect(result.inviteLink).toEqual({ memberLimit: 5, ...outcome });
    expect(control.links(CHAT).find((link) => link.url === url)).toMatchObject({
      memberLimit: 5,
      ...outcome,
    });
    // No edit is unconfirmed any more, so an edit that changes nothing makes no call.
    const calls = control.calls(method).length;
    expect((await second.ask(instead(id))).result.inviteLink).toEqual({ memberLimit: 5, ...outcome });
    expect(control.calls(method)).toHaveLength(calls);
  }
}, 120_000);

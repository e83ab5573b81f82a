import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startSandbox } from "../../src/sandbox/sandbox.js";
import { receiver } from "./receiver.js";
import { ada, ben, CHANNEL, channel, makeLink, setup } from "./support.js";

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sandbox-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

it("the sandbox has a link on disk before it answers", async () => {
  const stateFile = join(await freshFolder(), "deep", "er", "state.json");
  const { call } = await setup({ stateFile });
  for (let turn = 0; turn < 5; turn += 1) {
    const { invite_link } = await makeLink(call);
    expect(await readFile(stateFile, "utf8")).toContain(invite_link);
  }
});

it("the sandbox shares writes in a burst and leaves no other file behind", async () => {
  const folder = await freshFolder();
  const stateFile = join(folder, "state.json");
  await writeFile(join(folder, "state.json.123456"), "what a kill left of a write");
  const { sandbox, call } = await setup({ stateFile });
  const links = await Promise.all(
    Array.from({ length: 200 }, (_, turn) => makeLink(call, { name: `${turn}` })),
  );
  const text = await readFile(stateFile, "utf8");
  expect(links.every(({ invite_link }) => text.includes(invite_link))).toBe(true);
  await sandbox.close();
  expect(await readdir(folder)).toEqual(["state.json"]);
});

it("the sandbox restarts with its bot, links, members, updates and next update_id", async () => {
  const stateFile = join(await freshFolder(), "state.json");
  const bot = { id: 42, token: "42:SECRET", username: "other_bot", firstName: "Other" };
  const before = await setup({ stateFile, bot });
  await before.call("getUpdates", { offset: 1, allowed_updates: ["chat_member"] });
  const link = await makeLink(before.call, { name: "Lasting", member_limit: 2 });
  before.sandbox.control.join(CHANNEL, ada, { url: link.invite_link });
  const links = before.sandbox.control.links(CHANNEL);
  const pending = before.sandbox.control.pendingUpdates();
  await before.sandbox.close();

  const { sandbox, call } = await setup({
    stateFile,
    initial: { chats: [{ ...channel, title: "Ignored" }] },
  });
  expect(sandbox.bot).toEqual(bot);
  expect(sandbox.control.chats()).toMatchObject([{ title: "News", memberCount: 3 }, { title: "Talk" }]);
  expect(sandbox.control.links(CHANNEL)).toEqual(links);
  expect(await call("getUpdates")).toEqual(pending);
  sandbox.control.join(CHANNEL, ben, { url: link.invite_link });
  expect(sandbox.control.pendingUpdates()).toMatchObject([
    { update_id: pending[0]?.update_id },
    { update_id: (pending[0]?.update_id ?? 0) + 1, chat_member: { from: ben } },
  ]);
});

it("the sandbox goes on delivering to the webhook after a restart", async () => {
  const stateFile = join(await freshFolder(), "state.json");
  const hook = await receiver([500, 500, 200]);
  const before = await setup({ stateFile });
  await before.call("setWebhook", { url: hook.url, allowed_updates: ["chat_member"] });
  before.sandbox.control.join(CHANNEL, ada);
  await hook.received(1);
  await before.sandbox.close();

  await setup({ stateFile });
  const received = await hook.received(3);
  expect(new Set(received.map(({ update }) => update.update_id)).size).toBe(1);
});

it("the sandbox refuses a file that contains something else", async () => {
  const stateFile = join(await freshFolder(), "state.json");
  await writeFile(stateFile, '{"version": 9}');
  await expect(startSandbox({ stateFile })).rejects.toThrow("state.json");
});

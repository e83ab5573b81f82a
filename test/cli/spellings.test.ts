import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { CHANNEL, channel } from "../sandbox/support.js";
import { CHAT_IDS, INSTANTS } from "../support/spellings.js";
import { type Outcome, run } from "./support.js";

// Runs the table of spellings through the options of commands, because each option must accept what its parser accepts.

/** Each test starts a process, which takes seconds on a busy machine. */
const PATIENT = { timeout: 120_000 };

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ initial: { chats: [channel] } });
});
beforeEach(() => sandbox.control.clearFaults());
afterAll(() => sandbox.close());

const create = (...args: string[]): Promise<Outcome> =>
  run(["telegram", "CreateInvitationLink", ...args], {
    TELEGRAM_BOT_TOKEN: sandbox.bot.token,
    TELEGRAM_API_ROOT: sandbox.apiRoot,
  });

/** Expects exit code 2 and one error line that names the option. */
function expectWrongUsage({ code, stdout, stderr }: Outcome, option: string): void {
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^error: [^\n]+\n$/);
  expect(stderr).toContain(option);
}

describe("telegram CreateInvitationLink", PATIENT, () => {
  test.each(INSTANTS)(
    "accepts --expire $text only in ISO 8601, with the month before the day",
    async (row) => {
      const outcome = await create("--chat", String(CHANNEL), "--expire", row.text);
      if (row.iso === null || row.grammar === "file") expectWrongUsage(outcome, "expire");
      else {
        expect([outcome.code, outcome.stderr]).toEqual([0, ""]);
        const { expire_date } = JSON.parse(outcome.stdout).result;
        expect(expire_date).toBe(Date.parse(row.iso) / 1000);
      }
    },
  );

  test.each(CHAT_IDS)("CreateInvitationLink reads --chat %j as %j", async (text, id) => {
    const outcome = await create("--chat", text);
    if (id === null) expectWrongUsage(outcome, "chat");
    else {
      expect(outcome.stderr).toBe("");
      expect(sandbox.control.calls("createChatInviteLink").at(-1)?.parameters).toEqual({ chat_id: id });
    }
  });
});

describe("the option --channel", PATIENT, () => {
  const REFUSED = CHAT_IDS.flatMap(([text, id]) => (id === null ? [text] : []));
  const COMMANDS = [
    ["import"],
    ["export"],
    ["recount"],
    ["token", "create", "--name", "A token", "--role", "VIEWER"],
  ];

  test.each(COMMANDS)("--channel of %s refuses texts that are not a channel's id", async (...command) => {
    for (const text of [...REFUSED, "1001234567890", "0", ""]) {
      expectWrongUsage(await run([...command, "--channel", text]), "--channel");
    }
  });
});

import { describe, expect, it } from "vitest";
import type { SandboxFault } from "../../src/sandbox/sandbox.js";
import { CHANNEL, makeLink, refusal, setup } from "./support.js";

/** The answer to the next createChatInviteLink for a plain HTTP client, and the number of links afterwards. */
async function outcomeOf(fault: SandboxFault) {
  const { sandbox } = await setup();
  sandbox.control.fail(fault, { method: "createchatinvitelink" });
  const response = await fetch(
    `${sandbox.apiRoot}/bot${sandbox.bot.token}/createChatInviteLink?chat_id=${CHANNEL}`,
  );
  return {
    status: response.status,
    body: await response.text(),
    links: sandbox.control.links(CHANNEL).length,
  };
}

describe("a sandbox fault with an answer", () => {
  it("can be a 429", async () => {
    const { sandbox, call } = await setup();
    sandbox.control.fail({ kind: "too-many-requests", retryAfter: 7 });
    expect(await refusal(makeLink(call))).toEqual([
      429,
      "Too Many Requests: retry after 7",
      { retry_after: 7 },
    ]);
    expect(sandbox.control.links(CHANNEL)).toEqual([]);
    await makeLink(call);
  });

  it("can be any error of Telegram", async () => {
    const { sandbox, call } = await setup();
    sandbox.control.fail({ kind: "error", error_code: 400, description: "Bad Request: CHAT_ADMIN_REQUIRED" });
    expect(await refusal(makeLink(call))).toEqual([400, "Bad Request: CHAT_ADMIN_REQUIRED"]);
  });

  it("can be a server error with JSON, HTML or no body, before or after the effect", async () => {
    expect(await outcomeOf({ kind: "server-error" })).toEqual({
      status: 500,
      body: JSON.stringify({ ok: false, error_code: 500, description: "Internal Server Error" }),
      links: 0,
    });
    expect(await outcomeOf({ kind: "server-error", status: 502, body: "html" })).toEqual({
      status: 502,
      body: expect.stringContaining("<html>"),
      links: 0,
    });
    expect(await outcomeOf({ kind: "server-error", status: 504, body: "empty", effect: "after" })).toEqual({
      status: 504,
      body: "",
      links: 1,
    });
  });

  it("can be a body that is not JSON", async () => {
    expect(await outcomeOf({ kind: "html-error", status: 418 })).toEqual({
      status: 418,
      body: expect.stringContaining("<html>"),
      links: 0,
    });
    expect(await outcomeOf({ kind: "not-json" })).toEqual({
      status: 200,
      body: expect.stringContaining("<html>"),
      links: 1,
    });
  });

  it("can be a late right answer", async () => {
    expect(await outcomeOf({ kind: "slow", ms: 1 })).toMatchObject({ status: 200, links: 1 });
  });

  it("can be a revoked token, until it is removed", async () => {
    const { sandbox, call } = await setup();
    const restore = sandbox.control.fail({ kind: "unauthorized" });
    for (const method of ["getMe", "getUpdates", "createChatInviteLink"]) {
      expect(await refusal(call(method))).toEqual([401, "Unauthorized: invalid token specified"]);
    }
    restore();
    await makeLink(call);
  });
});

describe("a sandbox fault that loses the answer", () => {
  it.each([
    ["before", 0],
    ["after", 1],
  ] as const)("cut the connection %s the effect: %i links", async (effect, links) => {
    const { sandbox, call } = await setup();
    sandbox.control.fail({ kind: "cut", effect });
    await expect(makeLink(call)).rejects.toThrow("socket hang up");
    expect(sandbox.control.links(CHANNEL)).toHaveLength(links);
  });

  it("can end the connection in the middle of the answer", async () => {
    // Telegraf's HTTP client would not notice the cut and would wait until its signal is aborted.
    const { sandbox } = await setup();
    sandbox.control.fail({ kind: "half-body" });
    const url = `${sandbox.apiRoot}/bot${sandbox.bot.token}/createChatInviteLink?chat_id=${CHANNEL}`;
    const response = await fetch(url);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow("terminated");
    expect(sandbox.control.links(CHANNEL)).toHaveLength(1);
  });

  it.each(["before", "after"] as const)(
    "hangs %s the effect, for as long as the caller waits",
    async (effect) => {
      const { sandbox, call } = await setup();
      sandbox.control.fail({ kind: "hang", effect });
      const patience = new AbortController();
      const answer = call("createChatInviteLink", { chat_id: CHANNEL }, patience.signal);
      const given = expect(answer).rejects.toThrow("abort");
      await sandbox.control.nextCall("createChatInviteLink");
      patience.abort();
      await given;
      expect(sandbox.control.links(CHANNEL)).toHaveLength(effect === "before" ? 0 : 1);
    },
  );

  it("does not keep the sandbox from closing", async () => {
    const { sandbox, call } = await setup();
    sandbox.control.fail({ kind: "hang", effect: "before" });
    sandbox.control.fail({ kind: "slow", ms: 600_000 });
    const ended = Promise.all([
      expect(makeLink(call)).rejects.toThrow(),
      expect(makeLink(call)).rejects.toThrow(),
    ]);
    await sandbox.control.nextCall();
    await sandbox.control.nextCall();
    await sandbox.close();
    await ended;
  });
});

describe("the choice of calls that a sandbox fault concerns", () => {
  it("depends on method, skip, times and the order of the faults", async () => {
    const { sandbox, call } = await setup();
    const { control } = sandbox;
    control.fail({ kind: "too-many-requests", retryAfter: 1 }, { method: "getChat", skip: 1, times: 2 });
    control.fail({ kind: "too-many-requests", retryAfter: 2 }, { method: "getChat" });
    const codes: unknown[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const answer = await refusal(call("getChat", { chat_id: CHANNEL }));
      codes.push(answer[2] ?? answer[0]);
    }
    expect(codes).toEqual([{ retry_after: 2 }, { retry_after: 1 }, { retry_after: 1 }, "no refusal"]);
    await makeLink(call);
  });

  it("is empty after faults are cleared", async () => {
    const { sandbox, call } = await setup();
    sandbox.control.fail({ kind: "unauthorized" });
    sandbox.control.clearFaults();
    await makeLink(call);
  });
});

import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { describe, expect, it } from "vitest";
import { CHANNEL, refusal, setup } from "./support.js";

describe("the sandbox over HTTP", () => {
  it("reads parameters from the query and from JSON, form and multipart bodies", async () => {
    const { sandbox } = await setup();
    const root = `${sandbox.apiRoot}/bot${sandbox.bot.token}`;
    const chat_id = String(CHANNEL);
    const form = new FormData();
    form.set("chat_id", chat_id);
    form.set("name", "multipart");
    const requests: [string, RequestInit?][] = [
      [`CREATECHATINVITELINK?chat_id=${chat_id}&name=query&creates_join_request=True`],
      ["createChatInviteLink", { method: "POST", body: new URLSearchParams({ chat_id, name: "form" }) }],
      ["createChatInviteLink", { method: "POST", body: form }],
      [
        `createchatinvitelink?chat_id=${chat_id}`,
        { method: "POST", headers: { "content-type": "application/json" }, body: '{"name": null}' },
      ],
    ];
    for (const [path, init] of requests) {
      const response = await fetch(`${root}/${path}`, init);
      expect(await response.json()).toMatchObject({ ok: true });
    }
    expect(sandbox.control.links(CHANNEL)).toMatchObject([
      { name: "query", createsJoinRequest: true },
      { name: "form" },
      { name: "multipart" },
      { name: "null" },
    ]);
  });

  it("refuses other tokens and unknown methods", async () => {
    const { sandbox, telegram, call } = await setup();
    expect(await telegram.getMe()).toMatchObject({
      id: sandbox.bot.id,
      is_bot: true,
      username: sandbox.bot.username,
    });
    expect(await refusal(call("sendGreetings"))).toEqual([404, "Not Found"]);
    for (const [path, status, description] of [
      ["bot1:wrong/getMe", 401, "Unauthorized: invalid token specified"],
      ["bot1:wrong/sendGreetings", 401, "Unauthorized: invalid token specified"],
      ["elsewhere", 404, "Not Found"],
    ] as const) {
      const response = await fetch(`${sandbox.apiRoot}/${path}`);
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual({ ok: false, error_code: status, description });
    }
  });

  it("refuses web pages, whose requests a browser of this machine sends", async () => {
    const { sandbox } = await setup();
    const { port, pathname } = new URL(`${sandbox.apiRoot}/bot${sandbox.bot.token}/setWebhook`);
    const path = `${pathname}?url=https://evil.example`;
    const statusFor = async (headers: Record<string, string>) => {
      const asked = request({ host: "127.0.0.1", port, path, headers }).end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { host: `rebound.example:${port}` },
    ]) {
      expect(await statusFor(headers as Record<string, string>)).toBe(403);
    }
    expect(sandbox.control.calls()).toEqual([]);
    for (const headers of [{}, { host: `localhost:${port}` }, { "sec-fetch-site": "none" }])
      expect(await statusFor(headers as Record<string, string>)).toBe(200);
  });

  it("refuses bodies that it cannot read", async () => {
    const { sandbox } = await setup();
    const post = (body: string) =>
      fetch(`${sandbox.apiRoot}/bot${sandbox.bot.token}/getMe`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
    expect((await post("{")).status).toBe(400);
    expect((await post("[]")).status).toBe(400);
    expect((await post("x".repeat(1024 * 1024 + 1))).status).toBe(413);
  });

  it("lists the received calls", async () => {
    const at = Date.parse("2026-05-01T10:00:00Z");
    const { sandbox, call } = await setup({ now: () => at });
    await call("getme");
    await call("createChatInviteLink", { chat_id: CHANNEL, member_limit: 3 });
    expect(sandbox.control.calls()).toMatchObject([{ method: "getMe" }, { method: "createChatInviteLink" }]);
    expect(sandbox.control.calls("createchatinvitelink")).toEqual([
      {
        method: "createChatInviteLink",
        parameters: { chat_id: CHANNEL, member_limit: 3 },
        at: new Date(at),
      },
    ]);
  });
});

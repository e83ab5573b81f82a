// A simulated Bot API server that answers at once, so that the benchmark does not measure waiting for Telegram.

import http from "node:http";

const BOT = { id: 7000000001, is_bot: true, first_name: "Bench", username: "bench_bot" };
let made = 0;

/** @type {Record<string, (parameters: any) => unknown>} */
const METHODS = {
  getMe: () => BOT,
  getChat: ({ chat_id }) => ({ id: Number(chat_id), type: "channel", title: "Channel" }),
  getChatMember: () => ({ status: "administrator", user: BOT, can_invite_users: true }),
  getChatMemberCount: () => 1000,
  getWebhookInfo: () => ({ url: "", has_custom_certificate: false, pending_update_count: 0 }),
  setWebhook: () => true,
  createChatInviteLink({ name }) {
    made += 1;
    return {
      invite_link: `https://t.me/+made${Date.now().toString(36)}${made}`,
      creator: BOT,
      name,
      creates_join_request: false,
      is_primary: false,
      is_revoked: false,
    };
  },
};

const server = http.createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (part) => {
    body += part;
  });
  request.on("end", () => {
    const method = METHODS[(request.url ?? "").split("/").pop() ?? ""];
    response.statusCode = method === undefined ? 404 : 200;
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify(
        method === undefined
          ? { ok: false, error_code: 404, description: "Not Found" }
          : { ok: true, result: method(body === "" ? {} : JSON.parse(body)) },
      ),
    );
  });
});
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.error(`ready: http://127.0.0.1:${port}`);
});

// The limit as a server: node:http and pg. One prepared statement answers a request, and the JSON that PostgreSQL writes is
// sent unchanged. A request is POST /<workload> with the variables of the query.

import http from "node:http";
import pg from "pg";
import { STATEMENTS } from "./statements.mjs";

const pool = new pg.Pool({
  connectionString: process.env["DATABASE_URL"],
  max: Number(process.env["POOL"]),
  options: "-c search_path=plain -c TimeZone=UTC",
});
const telegram = new http.Agent({ keepAlive: true });

/** Creates a link by one call of the Bot API. @param {object} payload @returns {Promise<any>} */
function createInTelegram(payload) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      `${process.env["TELEGRAM_API_ROOT"]}/bot${process.env["TELEGRAM_BOT_TOKEN"]}/createChatInviteLink`,
      { method: "POST", agent: telegram, headers: { "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part) => {
          text += part;
        });
        response.on("end", () => resolve(JSON.parse(text).result));
      },
    );
    request.on("error", reject).end(JSON.stringify(payload));
  });
}

/** @param {string} workload @param {string} body */
async function answer(workload, body) {
  const statement = STATEMENTS[workload];
  if (statement === undefined) throw new Error(`There is no workload ${workload}.`);
  const { variables } = JSON.parse(body);
  if (workload === "W7") {
    const { channelId, name } = variables.input;
    variables.made = await createInTelegram({ chat_id: channelId, name });
  }
  const { rows } = await pool.query({
    name: workload,
    text: statement.text,
    values: statement.values(variables),
  });
  return statement.answer(rows[0], variables);
}

const server = http.createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (part) => {
    body += part;
  });
  request.on("end", () => {
    answer((request.url ?? "").slice(1), body).then(
      (text) => {
        response.setHeader("content-type", "application/json");
        response.end(text);
      },
      (error) => {
        response.statusCode = 500;
        response.end(JSON.stringify({ errors: [{ message: String(error) }] }));
      },
    );
  });
});
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.error(`ready: http://127.0.0.1:${port}`);
});

import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { startSandbox } from "../../../src/sandbox/sandbox.js";
import { askAt, ServerProcess } from "../../support/process.js";
import { makeWebhook, showWebhook } from "./administration.js";
import { Receiver, until } from "./receiver.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CHAT = -1001111111111;
const ADMIN_TOKEN = "an-admin-token-of-the-tests";

const hasOpenssl = spawnSync("openssl", ["version"], { stdio: "ignore" }).status === 0;

/** Makes a key and a certificate in a folder, signed by another one's or by its own key. */
async function certify(folder: string, name: string, subject: string, extensions: string[], by?: string) {
  const file = (suffix: string) => join(folder, `${name}.${suffix}`);
  const issuer =
    by === undefined ? [] : ["-CA", join(folder, `${by}.pem`), "-CAkey", join(folder, `${by}.key`)];
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", `/CN=${subject}`, "-keyout", file("key"), "-out", file("pem"), ...issuer],
    ...extensions.flatMap((extension) => ["-addext", extension]),
  ]);
  return { key: await readFile(file("key")), cert: await readFile(file("pem")) };
}

test.skipIf(!hasOpenssl)(
  "deliveries over TLS reach a receiver whose authority the server trusts, and say why they reach no other one",
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "invite-links-tls-"));
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: [{ id: CHAT, type: "channel" as const, title: "A chat" }] },
    });
    await certify(folder, "authority", "Test authority", ["basicConstraints=critical,CA:TRUE"]);
    const ofLocalhost = ["subjectAltName=DNS:localhost"];
    const noAuthority = "basicConstraints=critical,CA:FALSE";
    const listen = async (credentials: { key: Buffer; cert: Buffer }) => {
      const paths: (string | undefined)[] = [];
      const server = createServer(credentials, (request, response) => {
        paths.push(request.url);
        response.writeHead(204).end();
      });
      await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
      const url = `https://localhost:${(server.address() as AddressInfo).port}/hook`;
      return { paths, url, server };
    };
    const trusted = await listen(
      await certify(folder, "trusted", "localhost", [...ofLocalhost, noAuthority], "authority"),
    );
    const selfSigned = await listen(await certify(folder, "own", "localhost", ofLocalhost));
    const misnamed = await listen(
      await certify(folder, "misnamed", "x", ["subjectAltName=DNS:other.example", noAuthority], "authority"),
    );
    const plain = await Receiver.listen();
    const server = new ServerProcess({
      DATA_DIR: join(folder, "data"),
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN,
      WEBHOOK_ALLOW_PRIVATE: "on",
      NODE_EXTRA_CA_CERTS: join(folder, "authority.pem"),
    });
    onTestFinished(async () => {
      server.child.kill("SIGKILL");
      await server.exited;
      for (const receiver of [trusted, selfSigned, misnamed]) {
        receiver.server.closeAllConnections();
        receiver.server.close();
      }
      await plain.close();
      await telegram.close();
      await rm(folder, { recursive: true, force: true });
    });
    const url = await server.ready();
    const ask = (query: string, variables = {}) => askAt(url, ADMIN_TOKEN, query, { variables }) as never;
    const make = async (to: string) => (await makeWebhook({ ask }, to, ["LINK_CREATED"])).id;
    const ids = [
      await make(trusted.url),
      await make(selfSigned.url),
      await make(misnamed.url),
      await make(plain.url.replace("http:", "https:")),
    ];
    await ask(
      `mutation { createInviteLink(input: { channelId: "${CHAT}", name: "A link" }) { __typename } }`,
    );
    const shown = await Promise.all(
      ids.map(async (id) => {
        const latest = async () => (await showWebhook({ ask }, id)).deliveries.nodes[0];
        await until(async () => ((await latest())?.attemptCount ?? 0) > 0);
        const { state, error } = (await latest()) ?? {};
        return { state, error };
      }),
    );
    const refused = "The receiver's certificate is not trusted, or not valid now or for this name";
    expect(shown).toEqual([
      { state: "DELIVERED", error: null },
      { state: "WAITING", error: `${refused} (DEPTH_ZERO_SELF_SIGNED_CERT).` },
      { state: "WAITING", error: `${refused} (ERR_TLS_CERT_ALTNAME_INVALID).` },
      {
        state: "WAITING",
        error: expect.stringMatching(/^No secure connection could be made with the receiver \([A-Z_]+\)\.$/),
      },
    ]);
    expect([trusted, selfSigned, misnamed].map(({ paths }) => paths)).toEqual([["/hook"], [], []]);
  },
);

import { expect, test } from "vitest";
import { startEmptyServer, startTestServer } from "../../support/server.js";

const BOT = "{ viewer { bot { telegramId username name } } }";

test.each([
  ["the sandbox's", startTestServer],
  ["a real", startEmptyServer],
])("the viewer names %s bot", async (_whose, start) => {
  const server = await start();
  try {
    const { id, username, firstName } = server.sandbox.bot;
    const { data } = await server.ask(BOT);
    expect(data.viewer.bot).toEqual({ telegramId: id, username, name: firstName });
  } finally {
    await server.stop();
  }
});

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { ApiClient } from "../../src/cli/apiClient.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a request that gets no answer in time is repeated, whenever memory is freed meanwhile", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  const garbage = setInterval(collectGarbage, 10);
  onTestFinished(() => {
    clearInterval(garbage);
    server.close();
    server.closeAllConnections();
  });
  const origin = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stopped = new AbortController();
  const asked = new ApiClient(origin, "token", stopped.signal, 200).ask("{ viewer { name } }", {});
  for (let requests = 0; requests < 2; requests += 1) await once(server, "request");
  stopped.abort(new Error("stopped"));
  await expect(asked).rejects.toThrow("stopped");
});

import { isIP } from "node:net";
import { renderGraphiQL } from "@graphql-yoga/render-graphiql";
import type { FastifyRequest } from "fastify";

export interface GraphiQLOptions {
  /** A tab each. */
  readonly examples: readonly string[];
  /** Put into the page's headers, where nobody but this machine's user can see the page. */
  readonly sandboxToken: string | null;
}

function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

/** A name in the Host header that is not loopback is another site's, which points to this machine. */
function isForThisMachine(request: FastifyRequest): boolean {
  const address = request.socket.localAddress?.replace(/^::ffff:/, "") ?? "";
  return (
    isLoopback(address) && URL.canParse(`http://${request.headers.host}`) && isLoopback(request.hostname)
  );
}

/** The page with which people explore the graph; it needs nothing from the internet. */
export function graphiqlPage(request: FastifyRequest, { examples, sandboxToken }: GraphiQLOptions): string {
  const shown = sandboxToken !== null && isForThisMachine(request) ? sandboxToken : null;
  const headers = JSON.stringify({ Authorization: `Bearer ${shown ?? "<your API token>"}` }, null, 2);
  return renderGraphiQL({
    title: "invite-links · GraphiQL",
    endpoint: "/graphql",
    headers,
    defaultHeaders: headers,
    shouldPersistHeaders: false,
    defaultTabs: examples.map((query) => ({ query, headers })),
    defaultQuery: examples[0] ?? "",
    defaultEditorToolsVisibility: "headers",
  }) as string;
}

export const wantsPage = (request: FastifyRequest): boolean =>
  request.method === "GET" && (request.headers.accept ?? "").includes("text/html");

import { createRequire } from "node:module";
import type * as renderer from "@graphql-yoga/render-graphiql";
import type { FastifyRequest } from "fastify";
import { isForThisMachine } from "./thisMachine.js";

export interface GraphiQLOptions {
  /** A tab each. */
  readonly examples: readonly string[];
  /** Put into the page's headers, where nobody but this machine's user can see the page. */
  readonly sandboxToken: string | null;
}

/** GraphiQL animates its tabs to where they are, and takes a click on one that it has not let arrive for a drag. */
const CLICKABLE_TABS = ".graphiql-tab { transform: none !important; }";

const require = createRequire(import.meta.url);

/** The page with which people explore the graph; it needs nothing from the internet. */
export function graphiqlPage(request: FastifyRequest, { examples, sandboxToken }: GraphiQLOptions): string {
  const shown = sandboxToken !== null && isForThisMachine(request) ? sandboxToken : null;
  const headers = JSON.stringify({ Authorization: `Bearer ${shown ?? "<your API token>"}` }, null, 2);
  // Loaded by whoever looks first: it holds the page's scripts as texts, tens of megabytes in memory.
  const { renderGraphiQL } = require("@graphql-yoga/render-graphiql") as typeof renderer;
  const page = renderGraphiQL({
    title: "invite-links · GraphiQL",
    endpoint: "/graphql",
    headers,
    defaultHeaders: headers,
    shouldPersistHeaders: false,
    defaultTabs: examples.map((query) => ({ query, headers })),
    defaultQuery: examples[0] ?? "",
    defaultEditorToolsVisibility: "headers",
  }) as string;
  return page.replace("</head>", `<style>${CLICKABLE_TABS}</style></head>`);
}

export const wantsPage = (request: FastifyRequest): boolean =>
  request.method === "GET" && (request.headers.accept ?? "").includes("text/html");

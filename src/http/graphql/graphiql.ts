import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { brotliCompress, createGunzip, gzip, constants as zlib } from "node:zlib";
import type * as renderer from "@graphql-yoga/render-graphiql";
import type { FastifyReply, FastifyRequest } from "fastify";
import { getIntrospectionQuery, parse, print, stripIgnoredCharacters } from "graphql";
import Negotiator from "negotiator";
import { asPrivatePage } from "../lifecycle/htmlPage.js";
import { isLocalRequest } from "../lifecycle/localRequest.js";
import { SESSION_SCRIPT, SESSION_STYLE, sessionElements } from "./graphiqlSession.js";

export interface GraphiQLOptions {
  /** One query for each tab. */
  readonly examples: readonly string[];
  /** Given to the page for local requests only. Null: the page uses the dashboard's session or asks for a token. */
  readonly sandboxToken: string | null;
  /** Whether `/` is the dashboard. */
  readonly hasDashboard: boolean;
}

const minified = (text: string): string => stripIgnoredCharacters(print(parse(text)));

/** The documents that the page sends by itself and for its tabs, as it sends them: without comments and white space. */
export const graphiqlDocuments = (examples: readonly string[]): readonly string[] => [
  ...examples.flatMap((text) => [text, minified(text)]),
  minified(getIntrospectionQuery({ schemaDescription: true, inputValueDeprecation: true })),
];

/** GraphiQL animates its tabs while the page loads, and takes a click on a moving tab for a drag. */
const CLICKABLE_TABS = ".graphiql-tab { transform: none !important; }";

/** Compresses the page from 9 MB to 2 MB in half a second. A higher quality takes seconds and saves little more. */
const BROTLI_QUALITY = 5;

const require = createRequire(import.meta.url);

interface CompressedPage {
  readonly gzip: Buffer;
  readonly br: Buffer;
  readonly contentPolicy: string;
}

/** The end of the page's script, where GraphiQL is shown with its options. */
const SHOWN =
  /YogaGraphiQL\.renderYogaGraphiQL\(\s*(window\.document\.querySelector\('#root'\)),\s*(\{.*\}),\s*\);/;

function render({ examples, hasDashboard }: GraphiQLOptions, token: string | null): string {
  // Loaded for the first page only, because the module holds the page's scripts: tens of megabytes of memory.
  const { renderGraphiQL } = require("@graphql-yoga/render-graphiql") as typeof renderer;
  const page = renderGraphiQL({
    title: "GraphiQL",
    endpoint: "/graphql",
    shouldPersistHeaders: false,
    defaultTabs: examples.map((query) => ({ query })),
    defaultQuery: examples[0] ?? "",
    defaultEditorToolsVisibility: "headers",
  }) as string;
  if (!SHOWN.test(page)) throw new Error("The page of GraphiQL does not show itself as expected.");
  return page
    .replace("<title>", "<title>invite-links · ")
    .replace("</head>", () => `<style>${CLICKABLE_TABS}${SESSION_STYLE}</style></head>`)
    .replace('<div id="root"></div>', (root) => `${sessionElements(hasDashboard)}${root}`)
    .replace(
      SHOWN,
      (_whole, root: string, options: string) => `${SESSION_SCRIPT}
        withSession(${JSON.stringify(token)}, (token) => {
          const headers = JSON.stringify({ Authorization: "Bearer " + token }, null, 2);
          const { defaultTabs, ...options } = ${options};
          const tabs = defaultTabs.map((tab) => ({ ...tab, headers }));
          YogaGraphiQL.renderYogaGraphiQL(${root}, { ...options, headers, defaultHeaders: headers, defaultTabs: tabs });
        });`,
    );
}

/** Allows the page's own scripts, the editor's workers, its inline styles, and requests to this server. */
function contentPolicyOf(page: string): string {
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)];
  const hashes = scripts.map(
    ([, script = ""]) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`,
  );
  return [
    "default-src 'none'",
    `script-src ${hashes.join(" ")}`,
    "worker-src blob:",
    "style-src 'unsafe-inline'",
    "img-src data:",
    "font-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

async function compress(page: string): Promise<CompressedPage> {
  const params = { [zlib.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY };
  const [gzipped, br] = await Promise.all([
    promisify(gzip)(page),
    promisify(brotliCompress)(Buffer.from(page), { params }),
  ]);
  return { gzip: gzipped, br, contentPolicy: contentPolicyOf(page) };
}

/** The page of GraphiQL, which loads nothing from the internet. */
export class GraphiQLPage {
  readonly #options: GraphiQLOptions;
  /** The compressed pages by the token in them; null for the page without a token. Each is made at its first request. */
  readonly #pages = new Map<string | null, Promise<CompressedPage>>();

  constructor(options: GraphiQLOptions) {
    this.#options = options;
  }

  async send(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { sandboxToken } = this.#options;
    const page = await this.#page(sandboxToken !== null && isLocalRequest(request) ? sandboxToken : null);
    asPrivatePage(reply, page.contentPolicy).header("vary", "accept, accept-encoding");
    const accepted = new Negotiator(request.raw).encodings(["br", "gzip"]);
    for (const encoding of ["br", "gzip"] as const) {
      if (accepted.includes(encoding)) return reply.header("content-encoding", encoding).send(page[encoding]);
    }
    const unpacked = createGunzip();
    unpacked.end(page.gzip);
    return reply.send(unpacked);
  }

  #page(token: string | null): Promise<CompressedPage> {
    const existing = this.#pages.get(token);
    if (existing !== undefined) return existing;
    const page = compress(render(this.#options, token));
    this.#pages.set(token, page);
    return page;
  }
}

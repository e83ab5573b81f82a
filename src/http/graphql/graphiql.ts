import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { brotliCompress, createGunzip, gzip, constants as zlib } from "node:zlib";
import type * as renderer from "@graphql-yoga/render-graphiql";
import type { FastifyReply, FastifyRequest } from "fastify";
import Negotiator from "negotiator";
import { asPrivatePage } from "../lifecycle/htmlPage.js";
import { isLocalRequest } from "../lifecycle/localRequest.js";

export interface GraphiQLOptions {
  /** A tab each. */
  readonly examples: readonly string[];
  /** Put into the page's headers, where nobody but this machine's user can see the page. */
  readonly sandboxToken: string | null;
}

/** GraphiQL animates its tabs to where they are, and takes a click on one that it has not let arrive for a drag. */
const CLICKABLE_TABS = ".graphiql-tab { transform: none !important; }";

/** Nine megabytes become two in half a second; a higher quality takes seconds for little more. */
const BROTLI_QUALITY = 5;

const require = createRequire(import.meta.url);

/** The page as it is sent. */
interface CompressedPage {
  readonly gzip: Buffer;
  readonly br: Buffer;
  readonly contentPolicy: string;
}

function render(examples: readonly string[], token: string | null): string {
  const headers = JSON.stringify({ Authorization: `Bearer ${token ?? "<your API token>"}` }, null, 2);
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
  return page.replace("</head>", () => `<style>${CLICKABLE_TABS}</style></head>`);
}

/** The page's own scripts alone, its editor's workers, and requests to this server. The editor sets styles in elements. */
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

/** The page with which people explore the graph. It needs nothing from the internet. */
export class GraphiQLPage {
  readonly #options: GraphiQLOptions;
  /** By the token in it, each made when it is first asked for. */
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
    const known = this.#pages.get(token);
    if (known !== undefined) return known;
    const made = compress(render(this.#options.examples, token));
    this.#pages.set(token, made);
    return made;
  }
}

import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import serveFiles from "@fastify/static";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { asPrivatePage } from "./lifecycle/htmlPage.js";
import { isLocalRequest } from "./lifecycle/localRequest.js";

export interface DashboardOptions {
  /** An API token that is put into the page for the user of this machine; null if there is none. */
  readonly sandboxToken: string | null;
  /** The folder of the built dashboard. */
  readonly folder?: string;
}

/** The relative path is the same from src/http and from dist/http. */
const BUILT = fileURLToPath(new URL("../../dist/dashboard/", import.meta.url));

/** Scripts, styles and requests only from and to this server, none inline. QR codes are data: images. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The texts of the dashboard's GraphQL operations, as it sends them; none if it was not built. */
export function dashboardDocuments(folder = BUILT): readonly string[] {
  const file = join(folder, "documents.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as string[]) : [];
}

/** The placeholder for the token in dashboard/index.html. */
const NO_TOKEN = '<meta name="sandbox-token" content="" />';

/** Whether a browser asks for a page, rather than a program for data. */
const wantsPage = ({ method, headers }: FastifyRequest): boolean =>
  (method === "GET" || method === "HEAD") && headers.accept?.includes("text/html") === true;

/**
 * Serves the dashboard at `/`, and at every address without another answer if a browser asks for it: the dashboard has
 * its own addresses, and says so where it has no page. For the user of this machine the page contains the sandbox's token;
 * the page asks all other users for a token.
 * @returns false if the dashboard was not built, as after an installation without development dependencies
 */
export async function addDashboard(
  server: FastifyInstance,
  { sandboxToken, folder = BUILT }: DashboardOptions,
): Promise<boolean> {
  const index = join(folder, "index.html");
  if (!existsSync(index)) {
    server.get("/", (request, reply) => {
      const detail = "The dashboard was not built. Run npm run build to build it. The API is at /graphql.";
      return reply.code(404).send({ detail, requestId: request.id });
    });
    return false;
  }
  const page = await readFile(index, "utf8");
  if (!page.includes(NO_TOKEN)) throw new Error("The dashboard's page has no placeholder for a token.");
  const sendPage = (request: FastifyRequest, reply: FastifyReply) => {
    const shown = sandboxToken !== null && isLocalRequest(request) ? sandboxToken : "";
    return asPrivatePage(reply, POLICY).send(
      page.replace(NO_TOKEN, () => NO_TOKEN.replace('""', `"${shown}"`)),
    );
  };
  server.get("/", sendPage);
  server.addHook("onRequest", (request, reply, done) => {
    if (request.is404 && wantsPage(request)) sendPage(request, reply);
    else done();
  });
  // The files never change: their names contain a hash of their content. The build has compressed them.
  await server.register(serveFiles, {
    root: join(folder, "assets"),
    prefix: "/assets/",
    decorateReply: false,
    index: false,
    redirect: false,
    preCompressed: true,
    immutable: true,
    maxAge: "1y",
  });
  return true;
}

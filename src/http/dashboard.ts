import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import serveFiles from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { asPrivatePage } from "./lifecycle/htmlPage.js";
import { isLocalRequest } from "./lifecycle/localRequest.js";

export interface DashboardOptions {
  /** Put into the page, where nobody but this machine's user can see it. */
  readonly sandboxToken: string | null;
  /** Where the build puts it. */
  readonly folder?: string;
}

/** From src/http and from dist/http alike. */
const BUILT = fileURLToPath(new URL("../../dist/dashboard/", import.meta.url));

/** Scripts, styles and calls of this server's alone, none of them inline; a QR code is a data: image. */
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

/** What the page has in the place of a token; see dashboard/index.html. */
const NO_TOKEN = '<meta name="sandbox-token" content="" />';

/**
 * The dashboard at `/`, and its files. Its page has the sandbox's token where nobody but this machine's user can
 * see it; everybody else is asked for one.
 * @returns false where it was not built, as after an installation without development dependencies
 */
export async function addDashboard(
  server: FastifyInstance,
  { sandboxToken, folder = BUILT }: DashboardOptions,
): Promise<boolean> {
  const index = join(folder, "index.html");
  if (!existsSync(index)) {
    server.get("/", (request, reply) => {
      const detail = "The dashboard was not built: npm run build makes it. The API is at /graphql.";
      return reply.code(404).send({ detail, requestId: request.id });
    });
    return false;
  }
  const page = await readFile(index, "utf8");
  if (!page.includes(NO_TOKEN)) throw new Error("The dashboard's page has no place for a token.");
  server.get("/", (request, reply) => {
    const shown = sandboxToken !== null && isLocalRequest(request) ? sandboxToken : "";
    return asPrivatePage(reply, POLICY).send(
      page.replace(NO_TOKEN, () => NO_TOKEN.replace('""', `"${shown}"`)),
    );
  });
  // The name of each has a hash of its content.
  await server.register(serveFiles, {
    root: join(folder, "assets"),
    prefix: "/assets/",
    decorateReply: false,
    index: false,
    redirect: false,
    immutable: true,
    maxAge: "1y",
  });
  return true;
}

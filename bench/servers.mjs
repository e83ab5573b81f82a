// The candidates of a measurement: how each server is started, and how requests to it look.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { BOT_TOKEN, makeToken, ServerProcess, startThisServer } from "./processes.mjs";
import { fromPostgraphile } from "./workloads.mjs";

/** @typedef {import("./workloads.mjs").Workload} Workload */
/** @typedef {import("./workloads.mjs").Variables} Variables */

/** Sessions of each server's pool: the number that this server opens. */
const POOL = "10";

/** @param {string} name */
const script = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * Path of a Node.js that is new enough for PostGraphile: the one from npm, or the current one if it is new enough. Null if
 * there is none.
 */
export function newerNode() {
  try {
    const resolve = createRequire(script("peers/package.json")).resolve;
    const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
    const path = resolve(`${name}/bin/node${process.platform === "win32" ? ".exe" : ""}`);
    if (existsSync(path)) return path;
  } catch {
    // Not installed.
  }
  return Number(process.versions.node.split(".")[0]) >= 22 ? process.execPath : null;
}

export const startTelegram = () => new ServerProcess([script("telegram.mjs")], {});

/** The environment with which this server and its commands use the simulated Telegram. @param {URL} telegram */
export const telegramEnvironment = (telegram) => ({
  TELEGRAM_BOT_TOKEN: BOT_TOKEN,
  TELEGRAM_API_ROOT: telegram.origin,
  TELEGRAM_UPDATES: "off",
});

/**
 * @typedef {object} Where
 * @property {string} databaseUrl
 * @property {string} dataDir of the embedded database
 * @property {URL} telegram
 *
 * @typedef {object} Candidate
 * @property {string} title
 * @property {boolean} peer
 * @property {boolean} [embedded] true: its database runs in its own process
 * @property {(where: Where) => Promise<{ process: ServerProcess, token?: string }>} start
 * @property {(workload: Workload, name: string) => boolean} can
 * @property {(workload: Workload, name: string, variables: Variables) => { path: string, body: object | null }} request
 * @property {(data: any) => any} shape turns the response's data into the shape that the workloads know
 */

/** @type {Candidate["request"]} */
const graphql = ({ query }, _, variables) => ({ path: "/graphql", body: { query, variables } });
const unchanged = (/** @type {any} */ data) => data;
const readsGraph = (/** @type {Workload} */ { writes, rest }) => !writes && rest === undefined;

/** @param {Variant} variant @returns {Candidate} */
const thisServer = ({ title, embedded = false, environment }) => ({
  title,
  peer: false,
  embedded,
  async start({ databaseUrl, dataDir, telegram }) {
    const env = {
      ...telegramEnvironment(telegram),
      ...(embedded ? { DATA_DIR: dataDir } : { DATABASE_URL: databaseUrl }),
      ...environment,
    };
    const token = await makeToken(env);
    return { process: startThisServer(env), token };
  },
  can: () => true,
  request: (workload, name, variables) =>
    workload.rest === undefined
      ? graphql(workload, name, variables)
      : { path: workload.rest(variables), body: null },
  shape: unchanged,
});

/**
 * @param {string} file
 * @param {{ newer?: boolean }} [options]
 * @returns {Candidate["start"]}
 */
const plain =
  (file, { newer = false } = {}) =>
  async ({ databaseUrl, telegram }) => {
    const node = newer ? newerNode() : process.execPath;
    if (node === null) throw new Error(`There is no newer Node.js for ${file}.`);
    const environment = { DATABASE_URL: databaseUrl, POOL, ...telegramEnvironment(telegram) };
    return { process: new ServerProcess([script(file)], environment, { node }) };
  };

/**
 * Variants of this server, each with the environment variables that differ from a normal start.
 * @typedef {{ title: string, embedded?: boolean, environment: Record<string, string> }} Variant
 * @type {Record<string, Variant>}
 */
const VARIANTS = {
  ours: { title: "this server", environment: {} },
  forgetful: { title: "this server without caches (CACHE=off)", environment: { CACHE: "off" } },
  embedded: { title: "this server, embedded database", embedded: true, environment: {} },
};

/**
 * All candidates, in the order of the tables.
 * @param {Record<string, string>} environment added to the environment of every variant of this server
 * @returns {Record<string, Candidate>}
 */
export const candidates = (environment) => ({
  limit: {
    title: "the limit: node:http, pg, one statement",
    peer: false,
    start: plain("limit.mjs"),
    can: () => true,
    request: (_, name, variables) => ({ path: `/${name}`, body: { variables } }),
    shape: unchanged,
  },
  ...Object.fromEntries(
    Object.entries(VARIANTS).map(([name, variant]) => [
      name,
      thisServer({ ...variant, environment: { ...variant.environment, ...environment } }),
    ]),
  ),
  mercurius: {
    title: "Mercurius, jit, loaders over pg",
    peer: true,
    start: plain("peers/mercurius.mjs"),
    can: readsGraph,
    request: graphql,
    shape: unchanged,
  },
  postgraphile: {
    title: "PostGraphile 5 on Node.js 24",
    peer: true,
    start: plain("peers/postgraphile.mjs", { newer: true }),
    can: ({ postgraphile }) => postgraphile !== undefined,
    request: ({ postgraphile, postgraphileVariables = unchanged }, _, variables) => ({
      path: "/graphql",
      body: { query: postgraphile, variables: postgraphileVariables(variables) },
    }),
    shape: fromPostgraphile,
  },
  apollo: {
    title: "Apollo Server 5, plain Prisma include",
    peer: true,
    start: plain("peers/apollo.mjs"),
    can: readsGraph,
    request: graphql,
    shape: unchanged,
  },
});

export const NOTHING_LEFT_OUT = "all";

/**
 * A pair of candidates for each fast path: this server with all fast paths, and without the one. The names are read from the
 * build, so that none is missed.
 * @param {Record<string, string>} environment added to the environment of every server
 * @returns {Promise<Record<string, Record<string, Candidate>>>}
 */
export async function fastPathPairs(environment) {
  const { fastPaths } = await import(new URL("../dist/fastPaths.js", import.meta.url).href);
  const pairOf = (/** @type {string} */ name) => ({
    [NOTHING_LEFT_OUT]: thisServer({ title: "all", environment }),
    [name]: thisServer({ title: name, environment: { ...environment, FAST_PATHS_OFF: name } }),
  });
  return Object.fromEntries(Object.keys(fastPaths).map((name) => [name, pairOf(name)]));
}

/** A candidate's running server. */
export class Running {
  /**
   * @param {string} name
   * @param {Candidate} candidate
   * @param {ServerProcess} server
   * @param {URL} url
   * @param {string | undefined} token
   */
  constructor(name, candidate, server, url, token) {
    this.name = name;
    this.candidate = candidate;
    this.server = server;
    this.url = url;
    this.token = token;
  }

  /** @param {string} name @param {Candidate} candidate @param {Where} where */
  static async start(name, candidate, where) {
    const { process: server, token } = await candidate.start(where);
    return new Running(name, candidate, server, await server.ready(), token);
  }

  get port() {
    return Number(this.url.port);
  }

  stop() {
    return this.server.stop();
  }

  /** A request as HTTP text. @param {{ path: string, body: object | null }} request */
  wire({ path, body }) {
    const text = body === null ? "" : JSON.stringify(body);
    return [
      `POST ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${this.port}`,
      ...(this.token === undefined ? [] : [`Authorization: Bearer ${this.token}`]),
      ...(body === null ? [] : ["Content-Type: application/json"]),
      `Content-Length: ${Buffer.byteLength(text)}`,
      "",
      text,
    ].join("\r\n");
  }

  /** Sends one request and returns the response's data. @throws Error for an error response. @param {{ path: string, body: object | null }} request @returns {Promise<any>} */
  async ask({ path, body }) {
    const response = await fetch(new URL(path, this.url), {
      method: "POST",
      headers: {
        ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
        ...(body === null ? {} : { "content-type": "application/json" }),
      },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    });
    /** @type {any} */
    const answer = await response.json();
    if (response.status !== 200 || answer.errors !== undefined) {
      throw new Error(`${this.name} answered ${response.status}: ${JSON.stringify(answer).slice(0, 1000)}`);
    }
    return this.candidate.shape(answer.data ?? answer);
  }
}

// The part `fair`: how one caller's costly reads affect another caller. Measures the latency of creations and the readiness
// probes, with and without a caller that sends the costliest allowed documents, four at a time.

import { setTimeout as delay } from "node:timers/promises";
import { prepareDatabase, restore } from "./data.mjs";
import { machine } from "./machine.mjs";
import { readFacts } from "./measure.mjs";
import { makeToken, startThisServer } from "./processes.mjs";
import { startTelegram, telegramEnvironment } from "./servers.mjs";

/** Concurrent documents of the greedy caller. */
const AT_ONCE = 4;
/** One alias less than a document may have. */
const MOST_ALIASES = 29;
const GROUPS = 5;
const TAGS_IN_GROUP = 20;
/** Milliseconds between two probes, and the timeout of one: typical values of a load balancer. */
const PROBE_EVERY_MS = 500;
const PROBE_MS = 3000;
/** Milliseconds between two creations. */
const CREATE_EVERY_MS = 100;

/**
 * @typedef {object} Fairness the results of one phase; times are in milliseconds
 * @property {number} creations
 * @property {number} failed creations
 * @property {number} p50
 * @property {number} p99
 * @property {number} most the longest creation
 * @property {number} ready probes that were answered 200
 * @property {number} unready all other probes
 * @property {number} answered documents of the greedy caller without errors
 * @property {number} refused documents of the greedy caller with an error, such as RATE_LIMITED
 */

const CREATE = `mutation($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { __typename } }`;

/** @param {URL} url @param {string} token @param {object} body @param {AbortSignal} [signal] @returns {Promise<any>} */
async function ask(url, token, body, signal) {
  const response = await fetch(new URL("/graphql", url), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
  return await response.json();
}

/** @param {import("./workloads.mjs").Facts["channels"][number]} channel @param {number} aliases */
function costly({ channelId, tags }, aliases) {
  const types = [...new Set(tags.map(({ typeId }) => typeId))].slice(0, GROUPS);
  const tagGroups = types.map((tagTypeId) => ({
    tagTypeId,
    tagIds: tags
      .filter(({ typeId }) => typeId === tagTypeId)
      .slice(0, TAGS_IN_GROUP)
      .map(({ id }) => id),
  }));
  const fields = Array.from(
    { length: aliases },
    (_, index) => `a${index}: inviteLinks(channelId: $channelId, first: 1, filter: $filter) {
      totalCount totals { budget } facets { withoutTypeCount } }`,
  );
  return {
    query: `query($channelId: TelegramID!, $filter: InviteLinkFilter) { ${fields.join("\n")} }`,
    variables: { channelId, filter: { name: "x", isBotCreated: true, tagGroups } },
  };
}

/**
 * The costliest document of this kind that the server accepts. Its result is not awaited.
 * @param {URL} url @param {string} token @param {import("./workloads.mjs").Facts["channels"][number]} channel
 */
async function costliest(url, token, channel) {
  for (let aliases = MOST_ALIASES; aliases > 1; aliases -= 1) {
    // A refusal comes at once, a result after seconds.
    const answer = await ask(url, token, costly(channel, aliases), AbortSignal.timeout(1000)).catch(
      () => null,
    );
    const isRefused = answer?.errors?.some(
      (/** @type {any} */ { extensions }) => extensions.code === "QUERY_TOO_COSTLY",
    );
    if (!isRefused) return { aliases, document: costly(channel, aliases) };
  }
  return { aliases: 1, document: costly(channel, 1) };
}

/** @param {number[]} sorted @param {number} share */
const at = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/**
 * @param {URL} url
 * @param {{ channelId: number, token: string, milliseconds: number, greedy: { token: string, document: object } | null }} options
 * @returns {Promise<Fairness>}
 */
async function phase(url, { channelId, token, milliseconds, greedy }) {
  const ending = new AbortController();
  const { signal } = ending;
  const seen = { failed: 0, ready: 0, unready: 0, answered: 0, refused: 0 };
  /** @type {number[]} */
  const latencies = [];

  const read = async () => {
    if (greedy === null) return;
    for (;;) {
      if (signal.aborted) return;
      const answer = await ask(url, greedy.token, greedy.document, signal).catch(() => null);
      if (answer === null) continue;
      if (answer.errors) seen.refused += 1;
      else seen.answered += 1;
      // The least that a client waits after it was asked to slow down.
      if (answer.errors) await delay(100);
    }
  };
  const create = async () => {
    for (;;) {
      if (signal.aborted) return;
      const input = { channelId, name: `Made ${latencies.length}`, budget: "12.50" };
      const started = performance.now();
      const { data } = await ask(url, token, { query: CREATE, variables: { input } });
      latencies.push(performance.now() - started);
      if (data?.createInviteLink?.__typename !== "CreateInviteLinkSuccess") seen.failed += 1;
      await delay(CREATE_EVERY_MS);
    }
  };
  const probe = async () => {
    for (;;) {
      if (signal.aborted) return;
      const status = await fetch(new URL("/readyz", url), { signal: AbortSignal.timeout(PROBE_MS) }).then(
        async (response) => {
          await response.arrayBuffer();
          return response.status;
        },
        () => 0,
      );
      if (status === 200) seen.ready += 1;
      else seen.unready += 1;
      await delay(PROBE_EVERY_MS);
    }
  };
  const reading = Array.from({ length: greedy ? AT_ONCE : 0 }, read);
  // By then all reads are running.
  if (greedy) await delay(1000);
  const others = [create(), probe()];
  await delay(milliseconds);
  ending.abort();
  await Promise.all([...others, ...reading]);
  const sorted = latencies.sort((one, other) => one - other);
  return {
    creations: sorted.length,
    p50: at(sorted, 0.5),
    p99: at(sorted, 0.99),
    most: sorted.at(-1) ?? Number.NaN,
    ...seen,
  };
}

/**
 * @param {string} postgres
 * @param {{ links: number, seed: number, milliseconds: number, say: (line: string) => void }} options
 */
export async function measureFairness(postgres, { links, seed, milliseconds, say }) {
  const url = await prepareDatabase(postgres, { links, seed, say });
  const [channel] = (await readFacts(url)).channels;
  if (channel === undefined) throw new Error("There is no channel.");
  const telegram = startTelegram();
  const environment = { ...telegramEnvironment(await telegram.ready()), DATABASE_URL: url };
  const [greedyToken, token] = [await makeToken(environment), await makeToken(environment)];
  const server = startThisServer(environment);
  try {
    const address = await server.ready();
    say("W8: creations beside another caller's costly reads");
    const { aliases, document } = await costliest(address, greedyToken, channel);
    const common = { channelId: channel.channelId, token, milliseconds };
    // A first phase warms the server up.
    await phase(address, { ...common, milliseconds: 1000, greedy: null });
    const alone = await phase(address, { ...common, greedy: null });
    const beside = await phase(address, { ...common, greedy: { token: greedyToken, document } });
    return {
      kind: "fair",
      links,
      seed,
      milliseconds,
      aliases,
      inChannel: channel.links,
      ...(await machine(url)),
      phases: { alone, beside },
    };
  } finally {
    await server.stop();
    await telegram.stop();
    await restore(url);
  }
}

// The part `member-reads`: what the numbers of members cost beside a page of links without them (W1), in a channel whose
// links have many members.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { prepareDatabase, withDatabase } from "./data.mjs";
import { machine } from "./machine.mjs";
import { readFacts } from "./measure.mjs";
import { cpuOf, cpuOfPostgres, makeToken, postmasterOf, startThisServer } from "./processes.mjs";
import { spread } from "./ratios.mjs";
import { startTelegram, telegramEnvironment } from "./servers.mjs";
import { LINK } from "./workloads.mjs";

/** @typedef {import("./data.mjs").Execute} Execute */
/** @typedef {import("./measure.mjs").Facts} Facts */

/** Requests of a workload that are sent at the same time. */
const CONNECTIONS = 2;
/** Requests before the first round: PostgreSQL keeps a plan from the sixth on. */
const WARMING = 6;
const DAY_MS = 86_400_000;

const STATS = `joinCount leaveCount removedCount activeCount uniqueJoinCount joinRequestCount pendingJoinRequestCount
  costPerJoin costPerActiveMember firstJoinAt lastJoinAt`;
const RETENTION = "retention { days joinCount stayedCount rate }";
const BUCKET = "{ from to joinCount leaveCount joinRequestCount activeCount }";
const SERIES = `series(from: $from, to: $to, unit: DAY, timeZone: "America/New_York") ${BUCKET}`;
const TOTALS = `totals { budget joinCount leaveCount activeCount joinRequestCount costPerJoin costPerActiveMember }`;
const GROUPS = `groups(by: TAG, tagTypeId: $type) { tag { id name } linkCount totals { budget joinCount activeCount } }`;

const ARGUMENTS = `$channel: TelegramID!, $link: ID!, $filter: InviteLinkFilter, $type: ID!, $from: DateTime!, $to: DateTime!,
  $after: String, $afterByName: String`;
const list = (/** @type {string} */ args, /** @type {string} */ fields) =>
  `inviteLinks(channelId: $channel, ${args}) { ${fields} }`;
const page = (/** @type {string} */ args, fields = "") =>
  list(`first: 50, ${args}`, `edges { node { ${LINK} ${fields} } } pageInfo { hasNextPage endCursor }`);
const byJoins = "orderBy: [{ field: JOIN_COUNT, direction: DESC }]";
const byName = "orderBy: [{ field: NAME, direction: DESC }]";
const DEEP = 1_000;

/** Each is the selection of a query, with its title. @type {Readonly<Record<string, readonly [string, string]>>} */
const WORKLOADS = {
  W1: ["a page of the 50 newest links, without numbers", page("")],
  M1: ["the page of W1 with the numbers of each link", page("", `stats { ${STATS} }`)],
  M2n: ["50 links ordered by name", page(byName)],
  M2: ["50 links ordered by joins", page(byJoins)],
  M3n: [`ordered by name, page ${DEEP} by cursor`, page(`${byName}, after: $afterByName`)],
  M3: [`ordered by joins, page ${DEEP} by cursor`, page(`${byJoins}, after: $after`)],
  M4n: [`ordered by name, page ${DEEP} by number`, page(`${byName}, page: ${DEEP}`)],
  M4: [`ordered by joins, page ${DEEP} by number`, page(`${byJoins}, page: ${DEEP}`)],
  M5: ["series of a year by day, one link", `inviteLink(id: $link) { stats { ${SERIES} } }`],
  M5c: ["series of a year by day, all links of the channel", list("first: 0", SERIES)],
  M5g: ["series of a year by day, under a tag group", list("first: 0, filter: $filter", SERIES)],
  M6: ["retention, one link", `inviteLink(id: $link) { stats { ${RETENTION} } }`],
  M6c: ["retention, all links of the channel", list("first: 0", `totals { ${RETENTION} }`)],
  M6g: ["retention, under a tag group", list("first: 0, filter: $filter", `totals { ${RETENTION} }`)],
  M7: ["groups by tag, all links of the channel", list("first: 0", GROUPS)],
  M7g: ["groups by tag, under a tag group", list("first: 0, filter: $filter", GROUPS)],
  M8: ["totals with members, all links of the channel", list("first: 0", TOTALS)],
  M8g: ["totals with members, under a tag group", list("first: 0, filter: $filter", TOTALS)],
};

/** Without the indexes of the tables that are filled, which are created at the end. @param {Execute} execute */
async function withoutIndexes(execute, /** @type {() => Promise<void>} */ work) {
  const indexes = await execute(`
    select c.relname as name, i.indrelid::regclass as table, pg_get_indexdef(c.oid) as definition,
      pg_get_constraintdef(k.oid) as key
    from pg_index i join pg_class c on c.oid = i.indexrelid left join pg_constraint k on k.conindid = c.oid
    where i.indrelid in ('membership'::regclass, 'link_quarter'::regclass)`);
  for (const { name, table, key } of indexes)
    await execute(key === null ? `drop index "${name}"` : `alter table ${table} drop constraint "${name}"`);
  await work();
  for (const { name, table, key, definition } of indexes)
    await execute(key === null ? definition : `alter table ${table} add constraint "${name}" ${key}`);
}

/**
 * A database with the rows of the benchmark and members of the largest channel; created and filled if it does not exist.
 * @param {string} postgres
 * @param {{ links: number, members: number, seed: number, say: (line: string) => void }} options
 */
async function prepareMembers(postgres, { links, members, seed, say }) {
  const base = await prepareDatabase(postgres, { links, seed, say });
  const template = new URL(base).pathname.slice(1);
  const name = `${template}_members_${members}`;
  const url = Object.assign(new URL(postgres), { pathname: name }).href;
  const text = readFileSync(new URL("data/members.sql", import.meta.url), "utf8");
  const [mark] = await withDatabase(postgres, (execute) =>
    execute(`select md5(shobj_description(t.oid, 'pg_database')) as template,
      shobj_description(d.oid, 'pg_database') as own
      from pg_database t left join pg_database d on d.datname = '${name}' where t.datname = '${template}'`),
  );
  const wanted = createHash("sha256").update(text).update(String(mark?.["template"])).digest("hex");
  if (mark?.["own"] === wanted) return url;
  say(`filling ${name}`);
  await withDatabase(postgres, (execute) => execute(`drop database if exists ${name}`));
  await withDatabase(postgres, (execute) => execute(`create database ${name} template ${template}`));
  await withDatabase(url, async (execute) => {
    await execute("set maintenance_work_mem = '1GB'; set work_mem = '256MB'; set synchronous_commit = off");
    const [channel] = await execute(
      "select channel_id as id from invite_link group by channel_id order by count(*) desc limit 1",
    );
    await execute(
      `set bench.seed = ${seed}; set bench.members = ${members}; set bench.channel = '${channel?.["id"]}'`,
    );
    await withoutIndexes(execute, async () => void (await execute(text)));
    await execute("vacuum (analyze)");
    await execute("checkpoint");
    await execute(`comment on database ${name} is '${wanted}'`);
  });
  return url;
}

/** @param {URL} address @param {string} token @param {string} selection @param {object} variables */
async function ask(address, token, selection, variables) {
  const query = `query (${ARGUMENTS}) { used: __typename ${selection} ${USED} }`;
  const response = await fetch(new URL("/graphql", address), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = /** @type {any} */ (await response.json());
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** Uses each variable, in a part that is not executed, so that all queries take the same ones. */
const USED = `... @skip(if: true) {
  u1: inviteLink(id: $link, channelId: $channel) { id stats { series(from: $from, to: $to) { from } } }
  u2: inviteLinks(channelId: $channel, filter: $filter, after: $after, first: 0) { groups(by: TAG, tagTypeId: $type) { from } }
  u3: inviteLinks(channelId: $channel, after: $afterByName, first: 0) { edges { cursor } }
}`;

/**
 * @param {URL} address @param {string} token @param {Facts} facts
 * @returns {Promise<Record<string, unknown>>}
 */
async function variablesOf(address, token, { channels, links }) {
  const channel = channels[0];
  const link = links.find(({ channelId }) => channelId === channel?.channelId);
  const type = channel?.tags[0]?.typeId;
  const tags = channel?.tags.filter(({ typeId }) => typeId === type) ?? [];
  const now = Date.now();
  const variables = {
    channel: channel?.channelId,
    link: link?.id,
    type,
    filter: { tagGroups: [{ tagTypeId: type, tagIds: tags.slice(0, 4).map(({ id }) => id) }] },
    from: new Date(now - 365 * DAY_MS),
    to: new Date(now),
  };
  const cursorOf = async (/** @type {string} */ order) =>
    (await ask(address, token, page(`${order}, page: ${DEEP}`), variables)).inviteLinks.pageInfo.endCursor;
  return { ...variables, after: await cursorOf(byJoins), afterByName: await cursorOf(byName) };
}

/**
 * @param {string} postgres
 * @param {{ links: number, members: number, seed: number, rounds: number, slice: number, say: (line: string) => void }} options
 *   a fifth of the links and all members are in the channel that is read
 */
export async function measureMemberReads(postgres, { links, members, seed, rounds, slice, say }) {
  const url = await prepareMembers(postgres, { links, members, seed, say });
  const facts = await readFacts(url);
  const postmaster = await withDatabase(url, async (execute) => {
    const [row] = await execute("select pg_backend_pid() as pid");
    return postmasterOf(row?.["pid"]);
  });
  const telegram = startTelegram();
  const environment = { ...telegramEnvironment(await telegram.ready()), DATABASE_URL: url };
  const token = await makeToken(environment);
  const server = startThisServer(environment);
  try {
    const address = await server.ready();
    const variables = await variablesOf(address, token, facts);
    const run = async (/** @type {string} */ selection) => {
      const before = { node: cpuOf(server.pid), postgres: cpuOfPostgres(postmaster) };
      const started = performance.now();
      let answers = 0;
      await Promise.all(
        Array.from({ length: CONNECTIONS }, async () => {
          do {
            await ask(address, token, selection, variables);
            answers += 1;
          } while (performance.now() - started < slice);
        }),
      );
      return {
        node: (cpuOf(server.pid) - before.node) / answers,
        postgres: (cpuOfPostgres(postmaster) - before.postgres) / answers,
        milliseconds: ((performance.now() - started) * CONNECTIONS) / answers,
      };
    };
    for (const [title, selection] of Object.values(WORKLOADS)) {
      say(title);
      for (let time = 0; time < WARMING; time += 1) await ask(address, token, selection, variables);
    }
    /** @type {Record<string, Awaited<ReturnType<typeof run>>[]>} */
    const found = {};
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, [, selection]] of Object.entries(WORKLOADS))
        found[name] = [...(found[name] ?? []), await run(selection)];
    }
    return {
      kind: "member-reads",
      ...{ links, members, seed, rounds, slice, inChannel: facts.channels[0]?.links },
      ...(await machine(url)),
      workloads: Object.fromEntries(
        Object.entries(WORKLOADS).map(([name, [title]]) => {
          const of = (/** @type {"node" | "postgres" | "milliseconds"} */ key) =>
            spread((found[name] ?? []).map((one) => one[key]));
          return [
            name,
            { title, node: of("node"), postgres: of("postgres"), milliseconds: of("milliseconds") },
          ];
        }),
      ),
    };
  } finally {
    await server.stop();
    await telegram.stop();
  }
}

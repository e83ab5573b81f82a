// The data of the part `members`: channels whose links have members already. Each measurement gets a fresh copy.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { withDatabase } from "./data.mjs";
import { migrate, recountMembers } from "./processes.mjs";
import { addressOf, CHANNELS, chatIdOf, LINKS, MEMBERS, memberOf } from "./updates.mjs";

const MIGRATIONS = new URL("../prisma/migrations/", import.meta.url);
const TEMPLATE = "bench_members";
export const COPY = "bench_members_copy";

/** A hash of everything that the rows depend on. */
function fingerprint() {
  const hash = createHash("sha256");
  for (const name of ["membersData.mjs", "updates.mjs"])
    hash.update(readFileSync(new URL(name, import.meta.url)));
  for (const name of readdirSync(MIGRATIONS).sort())
    if (!name.endsWith(".toml")) hash.update(readFileSync(new URL(`${name}/migration.sql`, MIGRATIONS)));
  return hash.digest("hex");
}

/** Rows of a number and what belongs to it. @param {number} count @param {(number: number) => unknown} of */
const values = (count, of) =>
  Array.from({ length: count }, (_, number) => `(${number}, ${of(number)})`).join(",");

/** Members have joined in the month before, each by a link of the channel. */
const FILL = `
  create temp table c as select number, gen_random_uuid() as id, chat_id
    from (values ${values(CHANNELS, chatIdOf)}) v (number, chat_id);
  insert into channel (id, chat_id, kind, title, created_at)
    select id, chat_id, 'CHANNEL', 'Channel ' || number, now() - interval '40 days' from c;
  create temp table l as select c.number, v.link, c.id as channel_id, gen_random_uuid() as id,
      overlay(address placing lpad(c.number::text, 4, '0') from ${addressOf(0, 0).indexOf("0000") + 1}) as url
    from c, (values ${values(LINKS, (link) => `'${addressOf(0, link)}'`)}) v (link, address);
  insert into invite_link (id, channel_id, bot_id, name, name_key, url, is_bot_created, creator_id, created_at)
    select id, channel_id, 7000000001, 'Campaign', 'campaign', url, true, 7000000001, now() - interval '40 days' from l;
  create index on l (number, link);
  analyze l;
  create temp table m as
    select l.channel_id, gen_random_uuid() as id, gen_random_uuid() as event_id, l.id as link_id, g as sequence,
      ${memberOf(0, 0)} + c.number::bigint * ${memberOf(1, 0) - memberOf(0, 0)} + g - 1 as user_id,
      date_trunc('second', now() - interval '30 days' + g * interval '30 days' / ${MEMBERS + 1}) as at
    from c cross join generate_series(1, ${MEMBERS}) g
    join l on l.number = c.number and l.link = (g * 7919 + c.number) % ${LINKS};
  insert into membership (channel_id, id, user_id, link_id, joined_at, join_update_id, join_sequence, path, attribution,
      is_first_by_link)
    select channel_id, id, user_id, link_id, at, -user_id, sequence, 'INVITE_LINK', 'EXACT', true from m;
  insert into member_event (channel_id, sequence, id, user_id, link_id, occurred_at, kind, attribution, path)
    select channel_id, sequence, event_id, user_id, link_id, at, 'JOINED', 'EXACT', 'INVITE_LINK' from m;
  -- The limit of ingestion.
  create schema plain;
  create table plain.event_limit (channel_id uuid, sequence bigint, bot_id bigint, update_id bigint, user_id bigint, link_id uuid,
    occurred_at timestamptz, kind text, primary key (channel_id, sequence), unique (bot_id, update_id));
`;

/**
 * A fresh database of `server` with the rows.
 * @param {string} server address of any database of the server
 * @param {(line: string) => void} say
 * @returns {Promise<string>} its address
 */
export async function prepareMembers(server, say) {
  const urlOf = (/** @type {string} */ name) => Object.assign(new URL(server), { pathname: name }).href;
  const wanted = fingerprint();
  const there = await withDatabase(server, (execute) =>
    execute(
      `select shobj_description(oid, 'pg_database') as mark from pg_database where datname = '${TEMPLATE}'`,
    ),
  );
  if (there[0]?.["mark"] !== wanted) {
    say(`filling ${TEMPLATE}`);
    await withDatabase(server, (execute) => execute(`drop database if exists ${TEMPLATE}`));
    await withDatabase(server, (execute) => execute(`create database ${TEMPLATE}`));
    const url = urlOf(TEMPLATE);
    await migrate({ DATABASE_URL: url });
    await withDatabase(url, (execute) => execute(`set synchronous_commit = off; ${FILL}`));
    await recountMembers({ DATABASE_URL: url });
    await withDatabase(url, (execute) => execute("vacuum (analyze)"));
    await withDatabase(url, (execute) => execute(`comment on database ${TEMPLATE} is '${wanted}'`));
  }
  await withDatabase(server, (execute) => execute(`drop database if exists ${COPY} with (force)`));
  await withDatabase(server, (execute) => execute(`create database ${COPY} template ${TEMPLATE}`));
  await withDatabase(server, (execute) => execute("checkpoint"));
  return urlOf(COPY);
}

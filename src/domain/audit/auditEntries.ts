import DataLoader from "dataloader";
import sql, { join, type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import { readVisible, readVisibleByKey } from "../access/movedGrants.js";
import type { Loaders } from "../links/linkLoaders.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import type { Scan } from "../paging/filteredScan.js";
import { type CountedPage, type ListStatements, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { anyOf, limitOf } from "../paging/page.js";
import { type Caller, NAMES_WITHOUT_TOKEN, requireChannel, visible } from "../shared/caller.js";
import { ForbiddenError, Problems } from "../shared/errors.js";
import { parseAnyId } from "../shared/ids.js";
import { isStorable } from "../shared/text.js";

/** An audit entry as it is read. */
export interface StoredEntry {
  readonly id: string;
  readonly at: Instant;
  /** As Caller.key; "server" for what the server did by itself. */
  readonly caller: string;
  /** Null for the server itself. */
  readonly callerName: string | null;
  /** Such as "inviteLink.create". */
  readonly action: string;
  readonly subjectId: string;
  /** The present Telegram chat id; null for a subject that belongs to no channel. */
  readonly chatId: number | null;
  readonly change: object;
}

/** A property that is null or left out filters nothing. */
export interface AuditFilter {
  readonly channelId?: number | null | undefined;
  /** A global id or a bare UUID. */
  readonly subjectId?: string | null | undefined;
  readonly caller?: string | null | undefined;
  /** An empty list matches nothing. */
  readonly actions?: readonly string[] | null | undefined;
  readonly from?: Date | null | undefined;
  /** Exclusive. */
  readonly to?: Date | null | undefined;
}

export interface AuditEntryArguments extends PageArguments {
  readonly filter?: AuditFilter | null | undefined;
}

const MAX_ACTIONS = 100;
const UNSTORABLE = "Must be well-formed Unicode without NUL.";

const LATEST_FIRST: Ordering<StoredEntry> = [
  {
    key: { name: "at", column: sql`a.at`, type: "timestamptz", valueOf: ({ at }) => at },
    direction: "DESC",
  },
  { key: { name: "id", column: sql`a.id`, type: "uuid", valueOf: ({ id }) => id }, direction: "DESC" },
];

const columns = sql`a.id, a.at, a.caller,
  case a.caller when 'admin' then ${NAMES_WITHOUT_TOKEN.admin}::text when 'cli' then ${NAMES_WITHOUT_TOKEN.cli}::text
    else t.name end as "callerName",
  a.action, a.subject_id as "subjectId", place.chat_id as "chatId", a.change`;

/** The token of the caller, and the channel after chat migrations that made one channel of two. */
const joins = sql`
  left join api_token t on t.id = case when a.caller ~ '^token:[0-9a-f-]{36}$' then substr(a.caller, 7)::uuid end
  left join lateral (
    with recursive place (id) as (
      select a.channel_id where a.channel_id is not null
      union
      select m.channel_id from place join audit_entry m
        on m.action = 'channel.migrate' and m.change->>'merged' = place.id::text
    )
    select c.chat_id from place join channel c on c.id = place.id limit 1
  ) place on true`;

/** The channels that meet a condition on `channel c`, with those that chat migrations have made part of them. */
const channelsWhere = (condition: Sql): Sql => sql`array(
  with recursive merges as materialized (
    select channel_id, (change->>'merged')::uuid as merged from audit_entry
    where action = 'channel.migrate' and change->>'merged' is not null
  ), own (id) as (
    select c.id from channel c where ${condition}
    union
    select merged from own join merges on merges.channel_id = own.id
  )
  select id from own)`;

/** Reads the entries of each value of a column by themselves, in the order of the column's index. */
function scanOfEach(column: Sql, values: Sql, where: Sql): Scan {
  const read = (condition: Sql, rest: Sql) => sql`
    unnest(${values}) as wanted (value) cross join lateral (
      select a.* from audit_entry a where ${column} = wanted.value and ${where} and ${condition} ${rest}
    ) a`;
  return {
    rows: (slice) => {
      const rest = sql`order by ${slice.orderBy} ${limitOf(slice)}`;
      return sql`(select a.* from ${read(anyOf(slice.ranges), rest)} ${rest}) a`;
    },
    any: (ranges) => sql`(select 1 from ${read(anyOf(ranges), sql`limit 1`)}) a`,
  };
}

/** A filter that was checked. */
interface Conditions {
  readonly subjectId: string | null;
  readonly actions: readonly string[] | null;
  /** The conditions on the subject and the caller. */
  readonly indexed: readonly Sql[];
  readonly period: readonly Sql[];
}

function conditionsOf({ subjectId, caller, actions, from, to }: AuditFilter): Conditions {
  const problems = new Problems();
  const id = subjectId == null ? null : parseAnyId(subjectId, "filter.subjectId", problems);
  if (caller != null && !isStorable(caller)) problems.add("filter.caller", UNSTORABLE);
  if ((actions?.length ?? 0) > MAX_ACTIONS) problems.add("filter.actions", `Must be at most ${MAX_ACTIONS}.`);
  if (actions?.some((action) => !isStorable(action))) problems.add("filter.actions", UNSTORABLE);
  problems.check();
  return {
    subjectId: id,
    actions: actions == null ? null : [...new Set(actions)],
    indexed: [
      ...(id === null ? [] : [sql`a.subject_id = ${id}::uuid`]),
      ...(caller == null ? [] : [sql`a.caller = ${caller}::text`]),
    ],
    period: [
      ...(from == null ? [] : [sql`a.at >= ${from.toISOString()}::timestamptz`]),
      ...(to == null ? [] : [sql`a.at < ${to.toISOString()}::timestamptz`]),
    ],
  };
}

/** Every entry meets it. The index of all entries has it, and serves only the list that states it. */
const UNFILTERED = sql`length(a.action) > 0`;

const all = (conditions: readonly (Sql | null)[]): Sql =>
  join([sql`true`, ...conditions.filter((condition) => condition !== null)], " and ");

const STATEMENTS: ListStatements = {
  page: statement("audit_entries_page"),
  exists: statement("audit_entries_beyond"),
  count: statement("audit_entries_count"),
};

/** Audit entries, for one request. */
export class AuditEntries {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #loaders: Loaders;
  readonly #byId: DataLoader<string, StoredEntry | null>;

  constructor(database: Database, caller: Caller, loaders: Loaders) {
    this.#database = database;
    this.#caller = caller;
    this.#loaders = loaders;
    this.#byId = new DataLoader(async (ids) =>
      inKeyOrder(
        ids,
        await readVisibleByKey(database, caller, ids, () => {
          const channels = this.#channels(null);
          const isVisible = channels === null ? sql`true` : sql`a.channel_id = any(${channels})`;
          return database.query<StoredEntry>(statement("audit_entries_by_id")`
            select ${columns} from audit_entry a ${joins} where a.id = any(${ids}::uuid[]) and ${isVisible}`);
        }),
        ({ id }) => id,
      ),
    );
  }

  /** Null for an entry that does not exist or that the caller may not see. */
  async find(id: string): Promise<StoredEntry | null> {
    const entry = await this.#byId.load(id);
    return entry && (await this.#maySee(entry.subjectId)) ? entry : null;
  }

  /**
   * A page of the audit entries, the latest first. A caller that is limited to some channels sees the entries of these alone.
   * @throws ForbiddenError for a channel that the caller may not use, and for a caller that is no administrator without a link
   *   or tag that it may see; ValidationError for unacceptable arguments.
   */
  async page({ filter, ...args }: AuditEntryArguments): Promise<CountedPage<StoredEntry>> {
    const request = readPageArguments(args);
    const conditions = conditionsOf(filter ?? {});
    const chatId = filter?.channelId ?? null;
    if (!(await this.#maySee(conditions.subjectId)))
      throw new ForbiddenError(
        "This requires a token with the role ADMIN, or the subjectId of a link or tag that the token may see.",
      );
    if (chatId !== null) requireChannel(this.#caller, chatId);
    return readVisible(this.#database, this.#caller, () => {
      const list = { statements: STATEMENTS, columns, joins, table: sql`audit_entry a`, alias: sql`a` };
      return readList(this.#database, { ...list, ...this.#rows(conditions, chatId) }, LATEST_FIRST, request);
    });
  }

  /** The condition of a list, and the scan that reads its pages from an index. */
  #rows(
    { subjectId, actions, indexed, period }: Conditions,
    chatId: number | null,
  ): { readonly where: Sql; readonly scan: Scan | null } {
    const channels = this.#channels(chatId);
    const listed = actions && sql`${actions}::text[]`;
    const ofChannels = channels && sql`a.channel_id = any(${channels})`;
    const ofActions = listed && sql`a.action = any(${listed})`;
    const others = [...indexed, ...period];
    const where = all([...others, ofChannels, ofActions]);
    if (subjectId !== null) return { where, scan: null };
    if (channels)
      return { where, scan: scanOfEach(sql`a.channel_id`, channels, all([...others, ofActions])) };
    if (listed) return { where, scan: scanOfEach(sql`a.action`, listed, all(others)) };
    return { where: indexed.length > 0 ? where : all([UNFILTERED, ...period]), scan: null };
  }

  /** The ids of the channels whose entries are read, as an array; null for all entries. */
  #channels(chatId: number | null): Sql | null {
    if (chatId !== null) return channelsWhere(sql`c.chat_id = ${chatId}::bigint`);
    return this.#caller.chatIds === null ? null : channelsWhere(visible(this.#caller, sql`c.chat_id`));
  }

  /** Whether the caller may see the entries of a subject; null for those of all subjects. */
  async #maySee(subjectId: string | null): Promise<boolean> {
    if (this.#caller.role === "ADMIN") return true;
    if (subjectId === null) return false;
    const { inviteLink, tag } = this.#loaders;
    const found = await Promise.all([inviteLink.load(subjectId), tag.load(subjectId)]);
    return found.some((subject) => subject !== null);
  }
}

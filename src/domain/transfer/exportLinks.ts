import sql, { empty, join, raw, type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { type LinkSelection, selected } from "../links/selection.js";
import { costPer, type MemberCounts, statsOfLinkColumn } from "../links/stats/memberCounts.js";
import { NotFoundError, RateLimitedError } from "../shared/errors.js";
import { COLUMNS, type Column, type StatsColumn } from "./linkRecord.js";
import type { TransferTag } from "./transferLink.js";

/** A link as an export writes it; readLink reads the same link from it. */
export type ExportedLink = Readonly<Record<Column, string | number | boolean | null>> & {
  readonly tags: readonly TransferTag[];
  /** Only if they are asked for. */
  readonly stats?: Readonly<Record<StatsColumn, string | number | null>>;
};

export interface LinkExport {
  readonly total: number;
  /** The types of all tags that links of the channel carry, sorted by name. */
  readonly tagTypes: readonly string[];
  /** Whether the links have their stats. */
  readonly hasStats?: boolean;
  /** The oldest first; read from the database as they are consumed. */
  readonly links: AsyncIterable<ExportedLink>;
}

const PORTION = 500;
/** When a refused caller should try again. By then one of the long lists is likely to be finished. */
const RETRY_SECONDS = 5;

type Selected = ReturnType<typeof selected>;

type ExportedRow = Readonly<Record<Exclude<Column, "channel_id">, string | number | boolean | null>> &
  Pick<ExportedLink, "tags"> & { readonly stats?: MemberCounts };

/** The link as a record, with its stats by the names of a record. */
function toExported(chatId: number, { stats, ...row }: ExportedRow): ExportedLink {
  const link = { channel_id: chatId, ...row };
  if (stats === undefined) return link;
  const budget = String(row.budget);
  return {
    ...link,
    stats: {
      join_count: stats.joinCount,
      leave_count: stats.leaveCount,
      removed_count: stats.removedCount,
      active_count: stats.activeCount,
      unique_join_count: stats.uniqueJoinCount,
      join_request_count: stats.joinRequestCount,
      pending_join_request_count: stats.pendingJoinRequestCount,
      cost_per_join: costPer(budget, stats.joinCount),
      cost_per_active_member: costPer(budget, stats.activeCount),
      first_join_at: stats.firstJoinAt,
      last_join_at: stats.lastJoinAt,
    },
  };
}

/** The columns of invite_link in the order of a record; `channel_id` is written as the chat id. */
const exportedColumns = join(
  COLUMNS.filter((column) => column !== "channel_id").map((column) => raw(`l.${column}`)),
);

/** Selects a channel's links with their tags, the oldest first. */
const exportedRows = ({ with: prefix, where }: Selected, hasStats: boolean) => statement("export_links")`
  ${prefix} select ${exportedColumns},
    coalesce((
      select json_agg(json_build_object('type', y.name, 'name', t.name, 'color', t.color)
        order by y.name_key, t.name_key)
      from invite_link_tag lt join tag t on t.id = lt.tag_id join tag_type y on y.id = t.type_id
      where lt.link_id = l.id
    ), '[]') as tags
    ${hasStats ? sql`, ${statsOfLinkColumn}` : empty}
  from invite_link l where ${where} order by l.created_at, l.id`;

interface ExportHead {
  readonly count: number;
  readonly tagTypes: readonly string[];
}

const tagTypesOf = (channelId: Sql): Sql => sql`
  select y.name from tag_type y
  where y.id in (select type_id from invite_link_tag where channel_id = ${channelId}::uuid)
  order by y.name_key`;

/** An export that is read while its client receives it. It must be closed. */
export interface OpenExport extends LinkExport {
  close(): Promise<unknown>;
}

/**
 * Opens the selected links of a chat, all of one snapshot, for a client that may read slowly.
 * @throws RateLimitedError while too many long lists are being read.
 */
export async function openExport(
  database: Database,
  chatId: number,
  selection: LinkSelection,
  hasStats: boolean,
): Promise<OpenExport> {
  const links = selected(selection);
  const statements = {
    count: statement("export_head")`
      ${links.with} select count(*) as count,
      array(${tagTypesOf(selection.channelId)}) as "tagTypes"
      from invite_link l where ${links.where}`,
    rows: exportedRows(links, hasStats),
  };
  const opened = await database.read<ExportedRow, ExportHead>(statements, PORTION);
  if (opened === null) throw new RateLimitedError(RETRY_SECONDS);
  const { head, rows } = opened;
  return {
    total: head.count,
    tagTypes: head.tagTypes,
    hasStats,
    links: (async function* () {
      for (let portion = await rows.next(); portion.length > 0; portion = await rows.next())
        for (const row of portion) yield toExported(chatId, row);
    })(),
    close: () => rows.close(),
  };
}

/**
 * Passes a channel's links to `write`, all of one snapshot.
 * @throws NotFoundError if the chat has no channel here.
 */
export async function exportLinks(
  database: Database,
  chatId: number,
  write: (links: LinkExport) => Promise<void>,
  { stats: hasStats = false }: { readonly stats?: boolean } = {},
): Promise<void> {
  await database.snapshot(async (snapshot) => {
    const [channel] = await snapshot.query<{ id: string; total: number }>(statement("export_channel")`
      select c.id, (select count(*) from invite_link l where l.channel_id = c.id) as total
      from channel c where c.chat_id = ${chatId}::bigint`);
    if (!channel) throw new NotFoundError("channel");
    const channelId = sql`${channel.id}`;
    const types = await snapshot.query<{ name: string }>(
      statement("export_tag_types")`${tagTypesOf(channelId)}`,
    );
    const portions = snapshot.portions<ExportedRow>(
      exportedRows({ with: empty, where: sql`l.channel_id = ${channelId}::uuid` }, hasStats),
      PORTION,
    );
    await write({
      total: channel.total,
      tagTypes: types.map(({ name }) => name),
      hasStats,
      links: (async function* () {
        for await (const rows of portions) for (const row of rows) yield toExported(chatId, row);
      })(),
    });
  });
}

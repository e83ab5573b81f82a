import sql, { empty, join, raw, type Sql } from "sql-template-tag";
import { type LinkSelection, type TypeGroup, ungrouped } from "../selection.js";

// What links are selected, as bits: every link has a place in a block of its channel, and a block has a row of bits for
// each tag (prisma/schema.prisma, LinkBlock). So a tag group is a few operations on each block, however many links it
// leaves, and counting them is counting bits.

const NONE = sql`0::bit(8192)`;

/** The places of block `b` whose links a group leaves. */
function leftBy({ typeId, tagIds, without }: TypeGroup): Sql {
  const carrying = sql`coalesce((
    select bit_or(t.links) from block_tag t where t.block_id = b.id and t.tag_id = any(${tagIds}::uuid[])
  ), ${NONE})`;
  if (!without) return carrying;
  const carryingAny = sql`coalesce(
    (select y.links from block_type y where y.block_id = b.id and y.type_id = ${typeId}::uuid), ${NONE})`;
  return sql`((b.links & ~${carryingAny}) | ${carrying})`;
}

/** The blocks of the channel, `b`, with the places whose links meet the conditions, as `met`. */
function blocksMeeting(selection: LinkSelection): { met: Sql; from: Sql } {
  if (selection.conditions.length === 0) {
    return { met: sql`b.links`, from: sql`link_block b where b.channel_id = ${selection.channelId}::uuid` };
  }
  return {
    met: sql`meeting.places`,
    from: sql`(
      select p.block_id, places(p.place, 1) as places from invite_link l join link_place p on p.link_id = l.id
      where ${ungrouped(selection)} group by p.block_id
    ) meeting join link_block b on b.id = meeting.block_id`,
  };
}

/**
 * The blocks of a selection, as a table of `block_id`, `channel_id`, the `selected` places, and `but_0`, `but_1`…: those
 * that would be selected without the first group, the second…
 */
export function selectedBlocks(selection: LinkSelection): Sql {
  const { groups } = selection;
  const { met, from } = blocksMeeting(selection);
  const left = groups.map((group, index) => ({ name: raw(`left_${index}`), places: leftBy(group) }));
  const all = (names: readonly { name: Sql }[]) => join([sql`met`, ...names.map(({ name }) => name)], " & ");
  const butOne = left.map((one, index) => {
    const others = left.filter((other) => other !== one);
    return sql`, ${all(others)} as ${raw(`but_${index}`)}`;
  });
  // OFFSET keeps the planner from working out each group anew wherever it is named.
  return sql`select block_id, channel_id, ${all(left)} as selected${butOne.length > 0 ? join(butOne, "") : empty}
    from (
      select b.id as block_id, b.channel_id, ${met} as met
        ${
          left.length > 0
            ? join(
                left.map(({ name, places }) => sql`, ${places} as ${name}`),
                "",
              )
            : empty
        }
      from ${from} offset 0
    ) blocks`;
}

/** The places of `selectedBlocks` that count in a type's facet: those that its own group, if there is one, has no say in. */
export const selectedFor = ({ groups }: LinkSelection, typeId: Sql): Sql =>
  groups.length === 0
    ? sql`selected`
    : sql`case ${typeId} ${join(
        groups.map((group, index) => sql`when ${group.typeId}::uuid then ${raw(`but_${index}`)}`),
        " ",
      )} else selected end`;

/** How many links are selected. */
export const countInBlocks = (selection: LinkSelection): Sql =>
  sql`select coalesce(sum(bit_count(selected)), 0)::bigint as count from (${selectedBlocks(selection)}) blocks`;

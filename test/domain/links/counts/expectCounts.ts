import { expect } from "vitest";
import type { TestDatabase } from "../../../support/databases.js";

/** Selects the counters (prisma/schema.prisma, LinkBlock) that differ from the links: the kind of difference, and the row. */
const WRONG = `
  with place as (
    select l.id as link_id, l.channel_id, l.budget, p.block_id, p.place
    from invite_link l left join link_place p on p.link_id = l.id
  ), carried as (
    select p.block_id, lt.tag_id, p.place from invite_link_tag lt join place p on p.link_id = lt.link_id
  ), marked as (
    select t.block_id, t.tag_id, place from block_tag t cross join lateral generate_series(0, 8191) place
    where t.links <> 0::bit(8192) and get_bit(t.links, place) = 1
  ), of_type as (
    select distinct p.block_id, t.type_id, p.place
    from invite_link_tag lt join place p on p.link_id = lt.link_id join tag t on t.id = lt.tag_id
  ), marked_type as (
    select t.block_id, t.type_id, place from block_type t cross join lateral generate_series(0, 8191) place
    where t.links <> 0::bit(8192) and get_bit(t.links, place) = 1
  ), days as (
    select channel_id, day, sum(links) as links from link_day group by channel_id, day having sum(links) <> 0
  ), created as (
    select channel_id, (created_at at time zone 'UTC')::date as day, count(*) as links
    from invite_link group by channel_id, (created_at at time zone 'UTC')::date
  )
  select 'a link stands nowhere, or in another channel' as wrong, link_id::text as row
  from place p left join link_block b on b.id = p.block_id where b.channel_id is distinct from p.channel_id
  union all
  select 'two stand at one place', block_id || ':' || place from place group by block_id, place having count(*) > 1
  union all
  select 'a place that was not given out', p.link_id::text from place p
  join link_block b on b.id = p.block_id where p.place >= b.filled
  union all
  select 'no link stands there', link_id::text from link_place where link_id not in (select id from invite_link)
  union all
  select 'a block has other links', b.id::text from link_block b left join place p on p.block_id = b.id
  group by b.id having b.links <> places(p.place, 1) filter (where p.place is not null)
    or count(p.place) <> bit_count(b.links)
  union all
  select 'carried, not marked', c::text from (select * from carried except select * from marked) c
  union all
  select 'marked, not carried', m::text from (select * from marked except select * from carried) m
  union all
  select 'of a type, not marked', c::text from (select * from of_type except select * from marked_type) c
  union all
  select 'marked, not of the type', m::text from (select * from marked_type except select * from of_type) m
  union all
  select 'another budget', p.link_id::text from place p
  where p.budget * 100 <> (
    select coalesce(sum(get_bit(d.links, p.place)::bigint << d.digit), 0) from block_budget d
    where d.block_id = p.block_id)
  union all
  select 'a budget of no link', d.block_id || ':' || d.digit from block_budget d join link_block b on b.id = d.block_id
  where d.links & ~b.links <> 0::bit(8192)
  union all
  select 'a day counted wrongly', coalesce(d.day, c.day)::text
  from days d full join created c on c.channel_id = d.channel_id and c.day = d.day
  where d.links is distinct from c.links`;

/** Expects that all counters agree with the links and their tags. */
export async function expectExactCounts({ pool }: Pick<TestDatabase, "pool">): Promise<void> {
  const { rows } = await pool.query(WRONG);
  expect(rows).toEqual([]);
}

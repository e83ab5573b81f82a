-- Fills the tables about members for the channel with the most links: bench.members memberships over the 365 days before now,
-- with the counters, roll-ups and events that follow from them. How many joins a link has is drawn from an exponential
-- distribution. Half of the members leave again, after 20 days on average.
select setseed((current_setting('bench.seed')::int % 1000000) / 1e6);

-- The rows come in the order of time, as updates would have written them. Times are whole seconds, as in Telegram.
create temp table member as
  select row_number() over (order by joined) as number, link_id, joined,
    case when gone and stayed < now then stayed end as "left", removed
  from (
    select link_id, joined, joined + ceil(-ln(1 - random()) * 20 * 86400) as stayed, random() < 0.5 as gone,
      random() < 0.1 as removed, now
    from (
      select id as link_id, now - ceil(random() * 365 * 86400) as joined, now
      from (select id, -ln(1 - random()) * current_setting('bench.members')::bigint / count(*) over () as joins
        from invite_link where channel_id = current_setting('bench.channel')::uuid) l
      cross join (select floor(extract(epoch from now())) as now) clock
      cross join lateral generate_series(1, round(joins)::int)
    ) drawn
  ) drawn;

insert into membership (channel_id, id, user_id, link_id, joined_at, left_at, join_update_id, leave_update_id, path,
  attribution, is_removal, is_first_by_link)
select current_setting('bench.channel')::uuid,
  left(overlay(lpad(to_hex((joined * 1000)::bigint), 12, '0') || '7' || md5(number::text) placing '8' from 17), 32)::uuid,
  1000000 + number, link_id, to_timestamp(joined), to_timestamp("left"), number, number, 'INVITE_LINK', 'EXACT',
  "left" is not null and removed, true
from member order by number;

create temp table change as
  select link_id, floor(joined / 900)::int as quarter, 1 as joins, 0 as leaves,
    ("left" - joined < 86400)::int as d1, ("left" - joined < 3 * 86400)::int as d3, ("left" - joined < 7 * 86400)::int as d7,
    ("left" - joined < 14 * 86400)::int as d14, ("left" - joined < 30 * 86400)::int as d30
  from member
  union all
  select link_id, floor("left" / 900)::int, 0, 1, 0, 0, 0, 0, 0 from member where "left" is not null;

insert into link_quarter (channel_id, link_id, quarter, join_count, leave_count, left_within_1, left_within_3, left_within_7,
  left_within_14, left_within_30)
select current_setting('bench.channel')::uuid, link_id, quarter, sum(joins), sum(leaves), coalesce(sum(d1), 0),
  coalesce(sum(d3), 0), coalesce(sum(d7), 0), coalesce(sum(d14), 0), coalesce(sum(d30), 0)
from change group by link_id, quarter order by quarter, link_id;

insert into channel_quarter (channel_id, has_link, quarter, join_count, leave_count, left_within_1, left_within_3,
  left_within_7, left_within_14, left_within_30)
select channel_id, true, quarter, sum(join_count), sum(leave_count), sum(left_within_1), sum(left_within_3),
  sum(left_within_7), sum(left_within_14), sum(left_within_30)
from link_quarter where channel_id = current_setting('bench.channel')::uuid group by channel_id, quarter order by quarter;

update link_activity a set join_count = m.joins, leave_count = m.leaves, active_count = m.joins - m.leaves,
  removed_count = m.removed, unique_join_count = m.joins, first_join_at = to_timestamp(m.first),
  last_join_at = to_timestamp(m.last), left_within_1 = q.d1, left_within_3 = q.d3, left_within_7 = q.d7,
  left_within_14 = q.d14, left_within_30 = q.d30
from (
  select link_id, count(*) as joins, count("left") as leaves, count(*) filter (where "left" is not null and removed) as removed,
    min(joined) as first, max(joined) as last
  from member group by link_id) m
join (
  select link_id, sum(left_within_1) as d1, sum(left_within_3) as d3, sum(left_within_7) as d7, sum(left_within_14) as d14,
    sum(left_within_30) as d30
  from link_quarter where channel_id = current_setting('bench.channel')::uuid group by link_id) q using (link_id)
where a.link_id = m.link_id;

update channel_activity a set join_count = m.joins, leave_count = m.leaves
from (select count(*) as joins, count("left") as leaves from member) m
where a.channel_id = current_setting('bench.channel')::uuid;

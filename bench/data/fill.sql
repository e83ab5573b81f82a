-- Fills this server's tables with bench.links links: a fifth of them in one channel and the rest in 99 others, with 200 tags
-- of five types in each channel and about three tags on each link. The same seed gives the same rows, ids included, on every
-- PostgreSQL from version 15 on and on the embedded database.
select setseed((current_setting('bench.seed')::int % 1000000) / 1e6);

-- Like uuidv7(), which PostgreSQL before 18 lacks, but made from random(), so that the seed determines the ids.
create function pg_temp.uuid_at(at timestamptz) returns uuid language sql as $$
  select left(overlay(overlay(lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || md5(random()::text)
    placing '7' from 13) placing '8' from 17), 32)::uuid
$$;

-- All rows were created before this day, so that restore.sql can tell rows that a measurement has added by their date.
create temp table day as select timestamptz '2025-01-01 00:00+00' as last;

create temp table c as
  select g as number, pg_temp.uuid_at(last - interval '800 days' + make_interval(secs => g)) as id,
    case when g = 1 then -1001234567890 else -1001000000000 - g::bigint * 7654321 end as chat_id
  from day, generate_series(1, 100) g;
insert into channel (id, chat_id, kind, title, created_at)
  select id, chat_id, 'CHANNEL', 'Channel ' || number, last - interval '800 days' from c, day;

insert into tag_type (id, name, name_key, created_at)
  select pg_temp.uuid_at(last - interval '799 days' + make_interval(secs => g)), 'Type ' || g, 'type ' || g,
    last - interval '799 days'
  from day, generate_series(1, 5) g;
create temp table ty as select id, row_number() over (order by id) as number from tag_type;

create temp table t as
  select c.id as channel_id, c.number as channel, g as number,
    pg_temp.uuid_at(last - interval '798 days' + make_interval(secs => c.number * 1000 + g)) as id, ty.id as type_id,
    '#' || upper(lpad(to_hex((random() * 16777215)::int), 6, '0')) as color,
    case when g % 17 = 0 then 'Tag "quoted" ' || g || ' 🎯' else 'Tag ' || g end as name
  from day, c, generate_series(1, 200) g join ty on ty.number = (g - 1) % 5 + 1;
insert into tag (id, channel_id, type_id, name, name_key, color, created_at)
  select id, channel_id, type_id, name, lower(name), color, last - interval '798 days' from t, day;

-- The shares of the channels after the first decrease as 1 / (number + 5).
create temp table cw as
  select array_agg(id order by number) as ids, array_agg(low order by number) as lows from (
    select number, id, sum(1.0 / (number + 5)) over (order by number) / sum(1.0 / (number + 5)) over ()
      - 1.0 / (number + 5) / sum(1.0 / (number + 5)) over () as low from c where number > 1) w;
insert into invite_link (id, channel_id, bot_id, name, name_key, url, creates_join_request, expire_date, member_limit,
  budget, creator_id, is_bot_created, created_at, updated_at)
select pg_temp.uuid_at(ca),
  case when g <= current_setting('bench.links')::int / 5 then (select id from c where number = 1)
    else ids[width_bucket(u, lows::float8[])] end,
  7000000001, name, lower(name),
  'https://t.me/+' || substr(translate(encode(sha256(g::text::bytea), 'base64'), '+/=', 'ab_'), 1, 16),
  g % 3 = 0, case when g % 4 = 0 then ca + interval '90 days' end,
  case when g % 5 = 0 and g % 3 <> 0 then (g % 1000) + 1 end,
  case when g % 6 <> 0 then (g::bigint * 37) % 1000000000 / 100.0 else 0 end,
  100000000 + (g::bigint * 7919) % 6000000000, g % 2 = 0, ca, ca + interval '1 hour'
from (select g, random() as u, date_trunc('milliseconds', last - random() * interval '730 days') as ca,
    case when g % 11 = 0 then null when g % 13 = 0 then 'Промо "' || g || '" 🚀' else 'Campaign ' || g end as name
  from day, generate_series(1, current_setting('bench.links')::int) g) l, cw
order by ca;

-- Each link has 0 to 6 tags. Some tags are far more frequent than others.
create temp table tw as
  select array_agg(number order by r) as numbers, array_agg(low order by r) as lows from (
    select number, r, sum(1.0 / (r + 10)) over (order by r) / sum(1.0 / (r + 10)) over ()
      - 1.0 / (r + 10) / sum(1.0 / (r + 10)) over () as low
    from (select number, row_number() over (order by md5(number::text)) as r from generate_series(1, 200) number) s) w;
create index on t (channel_id, number);
analyze t;
create temp view drawn as
  select distinct x.link_id, t.id as tag_id, t.channel_id, t.type_id, x.created_at from (
    select i.link_id, i.channel_id, i.created_at, numbers[width_bucket(random(), lows::float8[])] as number
    from (select id as link_id, channel_id, created_at, floor(random() * 7)::int as n from invite_link) i,
      generate_series(1, i.n), tw) x
  join t on t.channel_id = x.channel_id and t.number = x.number;

-- The plain tables of the limit and the peers, in a schema of their own: the same rows with the same ids, and the indexes that
-- their statements use.
create schema plain;
create table plain.tag_type (id uuid primary key, name text not null);
create table plain.tag (
  id uuid primary key, name text not null, color text not null, type_id uuid references plain.tag_type(id));
create table plain.channel (id bigint primary key, title text not null);
create table plain.invite_link (
  id uuid primary key, channel_id bigint not null references plain.channel(id), name varchar(32),
  invite_link text not null, creates_join_request boolean not null, expire_date timestamptz(3), member_limit int,
  created_at timestamptz(3) not null, updated_at timestamptz(3) not null, is_bot_created boolean not null,
  creator_id bigint not null, budget bigint);
create table plain.invite_link_tag (
  link_id uuid not null references plain.invite_link(id) on delete cascade,
  tag_id uuid not null references plain.tag(id) on delete cascade, primary key (link_id, tag_id));

insert into plain.tag_type select id, name from tag_type order by id;
insert into plain.tag select id, name, color, type_id from tag order by id;
insert into plain.channel select chat_id, title from channel;
insert into plain.invite_link
  select l.id, c.chat_id, l.name, l.url, l.creates_join_request, l.expire_date, l.member_limit, l.created_at, l.updated_at,
    l.is_bot_created, l.creator_id, l.budget * 100
  from invite_link l join channel c on c.id = l.channel_id order by l.created_at;
insert into plain.invite_link_tag select link_id, tag_id from invite_link_tag order by link_id, tag_id;

create index invite_link_channel_created on plain.invite_link (channel_id, created_at desc, id desc);
create index invite_link_tag_tag on plain.invite_link_tag (tag_id, link_id);
create index tag_type_idx on plain.tag (type_id);

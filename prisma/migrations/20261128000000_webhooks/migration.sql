-- CreateEnum
CREATE TYPE "webhook_event_type" AS ENUM ('MEMBER_JOINED', 'MEMBER_STAYED', 'MEMBER_LEFT', 'JOIN_REQUESTED', 'LINK_CREATED', 'LINK_UPDATED', 'LINK_REVOKED', 'BOT_STATUS_CHANGED');

-- CreateEnum
CREATE TYPE "webhook_format" AS ENUM ('STANDARD', 'POSTBACK');

-- CreateEnum
CREATE TYPE "webhook_delivery_state" AS ENUM ('QUEUED', 'SCHEDULED', 'DELIVERED', 'FAILED');

-- CreateTable
CREATE TABLE "webhook" (
    "id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "format" "webhook_format" NOT NULL,
    "event_types" "webhook_event_type"[],
    "chat_ids" BIGINT[],
    "hold_seconds" INTEGER,
    "secret" TEXT,
    "is_enabled" BOOLEAN NOT NULL DEFAULT true,
    "disabled_reason" TEXT,
    "failing_since" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhook_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook_lease" (
    "webhook_id" UUID NOT NULL,
    "owner_id" UUID NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhook_lease_pkey" PRIMARY KEY ("webhook_id")
);

-- CreateTable
CREATE TABLE "webhook_delivery" (
    "id" UUID NOT NULL,
    "position" BIGSERIAL NOT NULL,
    "webhook_id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "event_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "due_at" TIMESTAMPTZ(3),
    "delivered_at" TIMESTAMPTZ(3),
    "event_type" "webhook_event_type" NOT NULL,
    "state" "webhook_delivery_state" NOT NULL,
    "attempt_count" INTEGER NOT NULL DEFAULT 0,
    "failure_count" INTEGER NOT NULL DEFAULT 0,
    "status" INTEGER,
    "error" TEXT,
    "data" JSON,
    "content" JSON,

    CONSTRAINT "webhook_delivery_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "webhook_delivery_webhook_id_state_position_idx" ON "webhook_delivery"("webhook_id", "state", "position");

-- Below is what Prisma cannot say.

-- A webhook may have very many scheduled deliveries, of which few are due.
CREATE INDEX "webhook_delivery_due_idx" ON "webhook_delivery"("webhook_id", "due_at", "position") WHERE "state" = 'SCHEDULED';

-- A delivery is inserted, gets its content and then its outcome. Room on its page keeps the second step off the indexes.
ALTER TABLE "webhook_delivery" SET (fillfactor = 70);

-- The first 24 characters of UUIDv7 of this moment. Random numbers are slow, so the ids of a statement share them and end
-- in a number that is unique by itself.
CREATE FUNCTION "id_beginning"() RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT substr(digits, 1, 8) || '-' || substr(digits, 9) || '-7' || substr(gen_random_uuid()::text, 16, 9)
  FROM (SELECT lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') AS digits) now
$$;

CREATE FUNCTION "id_of"("beginning" text, "number" bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (beginning || lpad(to_hex(number), 12, '0'))::uuid
$$;

-- Relay's global id, as globalId() in src/domain/shared/ids.ts makes it.
CREATE FUNCTION "global_id"("kind" text, "id" uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT encode(convert_to(kind || ':' || id::text, 'UTF8'), 'base64')
$$;

-- An invite link as webhooks tell of it.
CREATE FUNCTION "webhook_link"("link" uuid) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object(
    'id', global_id('InviteLink', l.id), 'name', l.name, 'url', l.url, 'externalId', l.external_id,
    'budget', l.budget::text,
    'tags', coalesce((
      SELECT json_agg(json_build_object(
        'id', global_id('Tag', t.id), 'name', t.name,
        'type', json_build_object('id', global_id('TagType', y.id), 'name', y.name)
      ) ORDER BY t.id)
      FROM invite_link_tag lt JOIN tag t ON t.id = lt.tag_id JOIN tag_type y ON y.id = t.type_id
      WHERE lt.link_id = l.id
    ), '[]'::json))
  FROM invite_link l WHERE l.id = link
$$;

-- A delivery is stored by the statement that stores its event, whatever part of the server that is, so that none can be
-- missed, and a batch of events costs one statement. A member event's content is made at the first attempt; what can change
-- until then, the link's or the bot's state, is noted in "data" where the event tells of that very change.

CREATE FUNCTION "queue_member_deliveries"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  beginning text;
BEGIN
  IF NOT EXISTS (
    SELECT FROM webhook WHERE is_enabled
      AND event_types && '{MEMBER_JOINED,MEMBER_STAYED,MEMBER_LEFT,JOIN_REQUESTED}'::webhook_event_type[]
  ) THEN RETURN NULL; END IF;
  beginning := id_beginning();
  INSERT INTO webhook_delivery (id, position, webhook_id, channel_id, event_id, created_at, occurred_at, event_type, state)
  SELECT id_of(beginning, position), position, webhook_id, channel_id, event_id, now(), occurred_at, type, 'QUEUED'
  FROM (
    SELECT nextval('webhook_delivery_position_seq') AS position, told.*
    FROM (
      SELECT w.id AS webhook_id, e.channel_id, e.id AS event_id, e.occurred_at, kind.type
      FROM stored e
      CROSS JOIN LATERAL (SELECT CASE e.kind
        WHEN 'JOINED' THEN 'MEMBER_JOINED'
        WHEN 'LEFT' THEN 'MEMBER_LEFT'
        WHEN 'JOIN_REQUESTED' THEN 'JOIN_REQUESTED'
      END::webhook_event_type AS type) kind
      JOIN channel c ON c.id = e.channel_id
      JOIN webhook w ON w.is_enabled AND kind.type = ANY (w.event_types)
        AND (w.chat_ids IS NULL OR c.chat_id = ANY (w.chat_ids))
      ORDER BY e.channel_id, e.sequence
    ) told OFFSET 0
  ) placed;
  IF NOT EXISTS (SELECT FROM webhook WHERE is_enabled AND 'MEMBER_STAYED' = ANY (event_types)) THEN RETURN NULL; END IF;
  INSERT INTO webhook_delivery (
    id, position, webhook_id, channel_id, event_id, created_at, occurred_at, due_at, event_type, state)
  SELECT id_of(beginning, position), position, webhook_id, channel_id, event_id, now(), due_at, due_at, 'MEMBER_STAYED',
    'SCHEDULED'
  FROM (
    SELECT nextval('webhook_delivery_position_seq') AS position, w.id AS webhook_id, e.channel_id, e.id AS event_id,
      e.occurred_at + w.hold_seconds * interval '1 second' AS due_at
    FROM stored e
    JOIN channel c ON c.id = e.channel_id
    JOIN webhook w ON w.is_enabled AND 'MEMBER_STAYED' = ANY (w.event_types)
      AND (w.chat_ids IS NULL OR c.chat_id = ANY (w.chat_ids))
    WHERE e.kind = 'JOINED'
  ) placed;
  RETURN NULL;
END $$;

CREATE TRIGGER "queue_deliveries" AFTER INSERT ON "member_event"
REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION "queue_member_deliveries"();

CREATE FUNCTION "queue_audited_deliveries"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  beginning text;
BEGIN
  IF NOT EXISTS (
    SELECT FROM webhook WHERE is_enabled
      AND event_types && '{LINK_CREATED,LINK_UPDATED,LINK_REVOKED,BOT_STATUS_CHANGED}'::webhook_event_type[]
  ) THEN RETURN NULL; END IF;
  beginning := id_beginning();
  INSERT INTO webhook_delivery (id, webhook_id, channel_id, event_id, created_at, occurred_at, event_type, state, data)
  SELECT (substr(beginning, 1, 15) || substr(gen_random_uuid()::text, 16))::uuid, w.id, told.channel_id, told.id, now(), told.at,
    told.type, 'QUEUED',
    CASE told.type WHEN 'BOT_STATUS_CHANGED' THEN json_build_object('botStatus', told.change -> 'to')
      ELSE json_build_object('inviteLink', webhook_link(told.subject_id)) END
  FROM (
    SELECT a.*, CASE a.action
      WHEN 'inviteLink.create' THEN 'LINK_CREATED'
      WHEN 'inviteLink.update' THEN 'LINK_UPDATED'
      WHEN 'inviteLink.setTags' THEN 'LINK_UPDATED'
      WHEN 'inviteLink.revoke' THEN 'LINK_REVOKED'
      WHEN 'channel.setBotStatus' THEN 'BOT_STATUS_CHANGED'
    END::webhook_event_type AS type
    FROM stored a
  ) told
  JOIN channel c ON c.id = told.channel_id
  JOIN webhook w ON w.is_enabled AND (w.chat_ids IS NULL OR c.chat_id = ANY (w.chat_ids))
    AND told.type = ANY (w.event_types)
  ORDER BY told.at, told.id;
  RETURN NULL;
END $$;

CREATE TRIGGER "queue_deliveries" AFTER INSERT ON "audit_entry"
REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION "queue_audited_deliveries"();

-- The bot's status changes by updates, by failed calls and by calls that succeed. Each change has its audit entry.
CREATE FUNCTION "audit_bot_status"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_entry (id, at, caller, action, subject_id, channel_id, change)
  VALUES ((substr(id_beginning(), 1, 15) || substr(gen_random_uuid()::text, 16))::uuid, now(), 'server', 'channel.setBotStatus',
    NEW.id, NEW.id, jsonb_build_object('from', OLD.bot_status, 'to', NEW.bot_status));
  RETURN NULL;
END $$;

CREATE TRIGGER "audit_bot_status" AFTER UPDATE OF "bot_status" ON "channel"
FOR EACH ROW WHEN (OLD.bot_status IS DISTINCT FROM NEW.bot_status) EXECUTE FUNCTION "audit_bot_status"();

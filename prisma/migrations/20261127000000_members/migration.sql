-- Members: who came by which link. src/domain/members/ explains the tables and is the only writer of them.

-- CreateEnum
CREATE TYPE "member_event_kind" AS ENUM ('JOINED', 'LEFT', 'JOIN_REQUESTED', 'JOIN_REQUEST_DECLINED');

-- CreateEnum
CREATE TYPE "join_path" AS ENUM ('INVITE_LINK', 'JOIN_REQUEST', 'CHAT_FOLDER', 'ADDED', 'DIRECT');

-- CreateEnum
CREATE TYPE "attribution" AS ENUM ('EXACT', 'BY_BEGINNING', 'AMBIGUOUS', 'NONE');

-- CreateEnum
CREATE TYPE "join_request_state" AS ENUM ('PENDING', 'APPROVED', 'DECLINED', 'GONE');

-- CreateEnum
CREATE TYPE "coverage_gap_reason" AS ENUM ('BOT_ABSENT', 'NOT_RECEIVING', 'UPDATES_MISSING');

-- AlterTable
ALTER TABLE "channel" ADD COLUMN     "time_zone" TEXT NOT NULL DEFAULT 'UTC';

-- AlterTable
ALTER TABLE "invite_link" ADD COLUMN     "external_id" TEXT,
ADD COLUMN     "external_id_key" TEXT;

-- CreateTable
CREATE TABLE "channel_activity" (
    "channel_id" UUID NOT NULL,
    "last_sequence" BIGINT NOT NULL DEFAULT 0,
    "since" TIMESTAMPTZ(3),
    "last_update_at" TIMESTAMPTZ(3),
    "join_count" INTEGER NOT NULL DEFAULT 0,
    "leave_count" INTEGER NOT NULL DEFAULT 0,
    "join_request_count" INTEGER NOT NULL DEFAULT 0,
    "without_link_count" INTEGER NOT NULL DEFAULT 0,
    "member_count" INTEGER,
    "member_count_at" TIMESTAMPTZ(3),
    "member_count_balance" INTEGER,
    "first_member_count" INTEGER,
    "first_member_count_balance" INTEGER,

    CONSTRAINT "channel_activity_pkey" PRIMARY KEY ("channel_id")
);

-- CreateTable
CREATE TABLE "link_activity" (
    "link_id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "join_count" INTEGER NOT NULL DEFAULT 0,
    "active_count" INTEGER NOT NULL DEFAULT 0,
    "last_join_at" TIMESTAMPTZ(3),
    "leave_count" INTEGER NOT NULL DEFAULT 0,
    "removed_count" INTEGER NOT NULL DEFAULT 0,
    "unique_join_count" INTEGER NOT NULL DEFAULT 0,
    "join_request_count" INTEGER NOT NULL DEFAULT 0,
    "pending_join_request_count" INTEGER NOT NULL DEFAULT 0,
    "first_join_at" TIMESTAMPTZ(3),
    "left_within_1" INTEGER NOT NULL DEFAULT 0,
    "left_within_3" INTEGER NOT NULL DEFAULT 0,
    "left_within_7" INTEGER NOT NULL DEFAULT 0,
    "left_within_14" INTEGER NOT NULL DEFAULT 0,
    "left_within_30" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "link_activity_pkey" PRIMARY KEY ("link_id")
);

-- CreateTable
CREATE TABLE "link_quarter" (
    "channel_id" UUID NOT NULL,
    "link_id" UUID NOT NULL,
    "quarter" INTEGER NOT NULL,
    "join_count" INTEGER NOT NULL DEFAULT 0,
    "leave_count" INTEGER NOT NULL DEFAULT 0,
    "join_request_count" INTEGER NOT NULL DEFAULT 0,
    "left_within_1" INTEGER NOT NULL DEFAULT 0,
    "left_within_3" INTEGER NOT NULL DEFAULT 0,
    "left_within_7" INTEGER NOT NULL DEFAULT 0,
    "left_within_14" INTEGER NOT NULL DEFAULT 0,
    "left_within_30" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "link_quarter_pkey" PRIMARY KEY ("link_id","quarter") INCLUDE ("join_count", "leave_count", "join_request_count")
);

-- CreateTable
CREATE TABLE "channel_quarter" (
    "channel_id" UUID NOT NULL,
    "has_link" BOOLEAN NOT NULL,
    "quarter" INTEGER NOT NULL,
    "join_count" INTEGER NOT NULL DEFAULT 0,
    "leave_count" INTEGER NOT NULL DEFAULT 0,
    "unknown_leave_count" INTEGER NOT NULL DEFAULT 0,
    "removed_count" INTEGER NOT NULL DEFAULT 0,
    "join_request_count" INTEGER NOT NULL DEFAULT 0,
    "left_within_1" INTEGER NOT NULL DEFAULT 0,
    "left_within_3" INTEGER NOT NULL DEFAULT 0,
    "left_within_7" INTEGER NOT NULL DEFAULT 0,
    "left_within_14" INTEGER NOT NULL DEFAULT 0,
    "left_within_30" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "channel_quarter_pkey" PRIMARY KEY ("channel_id","has_link","quarter")
);

-- CreateTable
CREATE TABLE "membership" (
    "channel_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "user_id" BIGINT NOT NULL,
    "link_id" UUID,
    "joined_at" TIMESTAMPTZ(3),
    "left_at" TIMESTAMPTZ(3),
    "join_update_id" BIGINT,
    "leave_update_id" BIGINT,
    "join_sequence" BIGINT,
    "leave_sequence" BIGINT,
    "path" "join_path",
    "attribution" "attribution" NOT NULL,
    "is_removal" BOOLEAN NOT NULL DEFAULT false,
    "is_inferred_leave" BOOLEAN NOT NULL DEFAULT false,
    "is_rejoin" BOOLEAN NOT NULL DEFAULT false,
    "is_first_by_link" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "membership_pkey" PRIMARY KEY ("channel_id","id")
);

-- CreateTable
CREATE TABLE "member_event" (
    "channel_id" UUID NOT NULL,
    "sequence" BIGINT NOT NULL,
    "id" UUID NOT NULL,
    "user_id" BIGINT NOT NULL,
    "actor_id" BIGINT,
    "link_id" UUID,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "kind" "member_event_kind" NOT NULL,
    "attribution" "attribution" NOT NULL,
    "path" "join_path",
    "is_removal" BOOLEAN NOT NULL DEFAULT false,
    "is_rejoin" BOOLEAN NOT NULL DEFAULT false,
    "is_inferred" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "member_event_pkey" PRIMARY KEY ("channel_id","sequence")
);

-- CreateTable
CREATE TABLE "join_request" (
    "channel_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "user_id" BIGINT NOT NULL,
    "link_id" UUID,
    "attribution" "attribution" NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "decided_at" TIMESTAMPTZ(3),
    "update_id" BIGINT NOT NULL,
    "sequence" BIGINT NOT NULL,
    "state" "join_request_state" NOT NULL,
    "bio" TEXT,

    CONSTRAINT "join_request_pkey" PRIMARY KEY ("channel_id","id")
);

-- CreateTable
CREATE TABLE "telegram_update" (
    "bot_id" BIGINT NOT NULL,
    "update_id" BIGINT NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "user_id" BIGINT,
    "actor_id" BIGINT,
    "chat_id" BIGINT,
    "body" JSON NOT NULL,

    CONSTRAINT "telegram_update_pkey" PRIMARY KEY ("bot_id","update_id")
);

-- CreateTable
CREATE TABLE "failed_update" (
    "id" UUID NOT NULL,
    "bot_id" BIGINT NOT NULL,
    "update_id" BIGINT NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "reason" TEXT NOT NULL,
    "user_id" BIGINT,
    "actor_id" BIGINT,
    "body" JSON NOT NULL,

    CONSTRAINT "failed_update_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "coverage_gap" (
    "id" UUID NOT NULL,
    "bot_id" BIGINT NOT NULL,
    "channel_id" UUID,
    "reason" "coverage_gap_reason" NOT NULL,
    "from_at" TIMESTAMPTZ(3) NOT NULL,
    "to_at" TIMESTAMPTZ(3),

    CONSTRAINT "coverage_gap_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "update_receiver" (
    "bot_id" BIGINT NOT NULL,
    "owner_id" UUID,
    "term" BIGINT NOT NULL DEFAULT 0,
    "expires_at" TIMESTAMPTZ(3),
    "last_asked_at" TIMESTAMPTZ(3),
    "checked_update_id" BIGINT,
    "webhook_hash" BYTEA,

    CONSTRAINT "update_receiver_pkey" PRIMARY KEY ("bot_id")
);

-- CreateIndex
CREATE INDEX "link_activity_channel_id_join_count_link_id_idx" ON "link_activity"("channel_id", "join_count", "link_id");

-- CreateIndex
CREATE INDEX "membership_channel_id_user_id_idx" ON "membership"("channel_id", "user_id");

-- CreateIndex
CREATE INDEX "membership_channel_id_link_id_joined_at_id_idx" ON "membership"("channel_id", "link_id", "joined_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "member_event_channel_id_id_key" ON "member_event"("channel_id", "id");

-- CreateIndex
CREATE INDEX "member_event_channel_id_link_id_sequence_idx" ON "member_event"("channel_id", "link_id", "sequence");

-- CreateIndex
CREATE INDEX "join_request_channel_id_user_id_idx" ON "join_request"("channel_id", "user_id");

-- CreateIndex
CREATE INDEX "join_request_channel_id_requested_at_id_idx" ON "join_request"("channel_id", "requested_at", "id");

-- CreateIndex
CREATE INDEX "join_request_channel_id_link_id_state_idx" ON "join_request"("channel_id", "link_id", "state");

-- CreateIndex
CREATE INDEX "telegram_update_received_at_idx" ON "telegram_update" USING BRIN ("received_at");

-- CreateIndex
CREATE UNIQUE INDEX "failed_update_bot_id_update_id_received_at_key" ON "failed_update"("bot_id", "update_id", "received_at");

-- CreateIndex
CREATE INDEX "coverage_gap_channel_id_from_at_idx" ON "coverage_gap"("channel_id", "from_at");

-- CreateIndex
CREATE UNIQUE INDEX "invite_link_channel_id_external_id_key" ON "invite_link"("channel_id", "external_id");

-- DropIndex
DROP INDEX "invite_link_channel_id_join_count_id_idx";

-- AddForeignKey
ALTER TABLE "channel_activity" ADD CONSTRAINT "channel_activity_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "link_activity" ADD CONSTRAINT "link_activity_link_id_fkey" FOREIGN KEY ("link_id") REFERENCES "invite_link"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- A changed row finds room on its own page. No index then has to be changed unless an indexed column did.
ALTER TABLE "channel_activity" SET (fillfactor = 50);
ALTER TABLE "link_activity" SET (fillfactor = 60);
ALTER TABLE "membership" SET (fillfactor = 85);
ALTER TABLE "link_quarter" SET (fillfactor = 90);
ALTER TABLE "channel_quarter" SET (fillfactor = 80);

-- Few rows have these values. Each index that a batch of updates has to change slows down storing it.
CREATE INDEX "member_event_channel_id_actor_id_idx" ON "member_event"("channel_id", "actor_id") WHERE "actor_id" IS NOT NULL;
CREATE INDEX "telegram_update_user_id_idx" ON "telegram_update"("user_id") WHERE "user_id" IS NOT NULL;
CREATE INDEX "telegram_update_actor_id_idx" ON "telegram_update"("actor_id") WHERE "actor_id" IS NOT NULL;
CREATE INDEX "telegram_update_chat_id_idx" ON "telegram_update"("chat_id") WHERE "chat_id" IS NOT NULL;

-- The rows that a batch of updates writes come as arrays of these types. A type never changes, since servers of two versions
-- may run at the same time: a later version adds another one.
CREATE TYPE "telegram_update_record" AS (
    "update_id" BIGINT,
    "user_id" BIGINT,
    "actor_id" BIGINT,
    "chat_id" BIGINT
);
CREATE TYPE "member_event_record" AS (
    "channel_id" UUID,
    "sequence" BIGINT,
    "id" UUID,
    "user_id" BIGINT,
    "actor_id" BIGINT,
    "link_id" UUID,
    "occurred_at" TIMESTAMPTZ,
    "kind" "member_event_kind",
    "attribution" "attribution",
    "path" "join_path",
    "is_removal" BOOLEAN,
    "is_rejoin" BOOLEAN,
    "is_inferred" BOOLEAN
);
CREATE TYPE "membership_record" AS (
    "channel_id" UUID,
    "id" UUID,
    "user_id" BIGINT,
    "link_id" UUID,
    "joined_at" TIMESTAMPTZ,
    "left_at" TIMESTAMPTZ,
    "join_update_id" BIGINT,
    "leave_update_id" BIGINT,
    "join_sequence" BIGINT,
    "leave_sequence" BIGINT,
    "path" "join_path",
    "attribution" "attribution",
    "is_removal" BOOLEAN,
    "is_inferred_leave" BOOLEAN,
    "is_rejoin" BOOLEAN,
    "is_first_by_link" BOOLEAN
);
CREATE TYPE "join_request_record" AS (
    "channel_id" UUID,
    "id" UUID,
    "user_id" BIGINT,
    "link_id" UUID,
    "attribution" "attribution",
    "requested_at" TIMESTAMPTZ,
    "decided_at" TIMESTAMPTZ,
    "update_id" BIGINT,
    "sequence" BIGINT,
    "state" "join_request_state",
    "bio" TEXT
);
CREATE TYPE "link_activity_record" AS (
    "link_id" UUID,
    "channel_id" UUID,
    "join_count" INT,
    "active_count" INT,
    "last_join_at" TIMESTAMPTZ,
    "leave_count" INT,
    "removed_count" INT,
    "unique_join_count" INT,
    "join_request_count" INT,
    "pending_join_request_count" INT,
    "first_join_at" TIMESTAMPTZ,
    "left_within_1" INT,
    "left_within_3" INT,
    "left_within_7" INT,
    "left_within_14" INT,
    "left_within_30" INT
);
CREATE TYPE "link_quarter_record" AS (
    "link_id" UUID,
    "channel_id" UUID,
    "quarter" INT,
    "join_count" INT,
    "leave_count" INT,
    "join_request_count" INT,
    "left_within_1" INT,
    "left_within_3" INT,
    "left_within_7" INT,
    "left_within_14" INT,
    "left_within_30" INT
);
CREATE TYPE "channel_quarter_record" AS (
    "has_link" BOOLEAN,
    "unknown_leave_count" INT,
    "removed_count" INT,
    "channel_id" UUID,
    "quarter" INT,
    "join_count" INT,
    "leave_count" INT,
    "join_request_count" INT,
    "left_within_1" INT,
    "left_within_3" INT,
    "left_within_7" INT,
    "left_within_14" INT,
    "left_within_30" INT
);
CREATE TYPE "channel_activity_record" AS (
    "channel_id" UUID,
    "last_sequence" BIGINT,
    "join_count" INT,
    "leave_count" INT,
    "join_request_count" INT,
    "without_link_count" INT
);

-- Each erased person gets a negative number of this sequence in place of the Telegram id.
CREATE SEQUENCE "erased_person" AS BIGINT INCREMENT -1 MINVALUE -4503599627370495 MAXVALUE -1 START -1;

-- Each channel and each link has its row of counters from the beginning. Links move with their channel when two channels
-- of one chat are merged.
CREATE FUNCTION "add_channel_activity"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO channel_activity (channel_id) SELECT id FROM added ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER "add_activity" AFTER INSERT ON "channel"
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "add_channel_activity"();

CREATE FUNCTION "add_link_activity"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO link_activity (link_id, channel_id) SELECT id, channel_id FROM added ORDER BY id ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER "add_activity" AFTER INSERT ON "invite_link"
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "add_link_activity"();

INSERT INTO channel_activity (channel_id) SELECT id FROM channel ORDER BY id;
INSERT INTO link_activity (link_id, channel_id) SELECT id, channel_id FROM invite_link ORDER BY id;

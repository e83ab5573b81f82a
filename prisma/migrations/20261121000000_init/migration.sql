-- Written by Prisma from schema.prisma, then given what Prisma cannot say: names' folded keys compare by
-- code point on every database alike (COLLATE "C"), links without a name come last in both directions.

-- CreateEnum
CREATE TYPE "bot_status" AS ENUM ('READY', 'MISSING_PERMISSION', 'NOT_IN_CHANNEL', 'UNKNOWN');

-- CreateEnum
CREATE TYPE "chat_kind" AS ENUM ('CHANNEL', 'SUPERGROUP', 'GROUP');

-- CreateEnum
CREATE TYPE "role" AS ENUM ('VIEWER', 'EDITOR', 'ADMIN');

-- CreateEnum
CREATE TYPE "creation_state" AS ENUM ('PREPARED', 'SENT', 'ANSWERED', 'UNCERTAIN', 'FAILED');

-- CreateTable
CREATE TABLE "installation" (
    "id" SMALLINT NOT NULL DEFAULT 1,
    "bot_id" BIGINT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "installation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "channel" (
    "id" UUID NOT NULL,
    "chat_id" BIGINT NOT NULL,
    "kind" "chat_kind" NOT NULL,
    "title" TEXT NOT NULL,
    "username" TEXT,
    "currency" CHAR(3) NOT NULL DEFAULT 'USD',
    "bot_status" "bot_status" NOT NULL DEFAULT 'UNKNOWN',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3),

    CONSTRAINT "channel_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tag_type" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" TEXT COLLATE "C" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3),

    CONSTRAINT "tag_type_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tag" (
    "id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "type_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" TEXT COLLATE "C" NOT NULL,
    "color" CHAR(7) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3),

    CONSTRAINT "tag_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "invite_link" (
    "id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "bot_id" BIGINT,
    "name" TEXT,
    "name_key" TEXT COLLATE "C",
    "url" TEXT NOT NULL,
    "creates_join_request" BOOLEAN NOT NULL DEFAULT false,
    "expire_date" TIMESTAMPTZ(3),
    "member_limit" INTEGER,
    "subscription_price" INTEGER,
    "budget" DECIMAL(14,2) NOT NULL DEFAULT 0,
    "creator_id" BIGINT,
    "is_bot_created" BOOLEAN NOT NULL DEFAULT true,
    "is_revoked" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3),
    "join_count" INTEGER NOT NULL DEFAULT 0,
    "leave_count" INTEGER NOT NULL DEFAULT 0,
    "join_request_count" INTEGER NOT NULL DEFAULT 0,
    "last_join_at" TIMESTAMPTZ(3),

    CONSTRAINT "invite_link_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "invite_link_tag" (
    "link_id" UUID NOT NULL,
    "tag_id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "type_id" UUID NOT NULL,

    CONSTRAINT "invite_link_tag_pkey" PRIMARY KEY ("link_id","tag_id")
);

-- CreateTable
CREATE TABLE "link_creation" (
    "id" UUID NOT NULL,
    "caller" TEXT NOT NULL,
    "idempotency_key" TEXT,
    "arguments_hash" BYTEA NOT NULL,
    "arguments" JSONB NOT NULL,
    "state" "creation_state" NOT NULL,
    "owner_id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "bot_id" BIGINT NOT NULL,
    "link_id" UUID,
    "failure" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3),

    CONSTRAINT "link_creation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_token" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "role" "role" NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "all_channels" BOOLEAN NOT NULL,
    "telegram_user_id" BIGINT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "channel_grant" (
    "token_id" UUID NOT NULL,
    "chat_id" BIGINT NOT NULL,

    CONSTRAINT "channel_grant_pkey" PRIMARY KEY ("token_id","chat_id")
);

-- CreateTable
CREATE TABLE "audit_entry" (
    "id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "caller" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "subject_id" UUID NOT NULL,
    "channel_id" UUID,
    "change" JSONB NOT NULL,

    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "channel_chat_id_key" ON "channel"("chat_id");

-- CreateIndex
CREATE UNIQUE INDEX "tag_type_name_key_key" ON "tag_type"("name_key");

-- CreateIndex
CREATE INDEX "tag_channel_id_name_key_id_idx" ON "tag"("channel_id", "name_key", "id");

-- CreateIndex
CREATE INDEX "tag_type_id_idx" ON "tag"("type_id");

-- CreateIndex
CREATE UNIQUE INDEX "tag_channel_id_type_id_name_key_key" ON "tag"("channel_id", "type_id", "name_key");

-- CreateIndex
CREATE UNIQUE INDEX "tag_id_channel_id_type_id_key" ON "tag"("id", "channel_id", "type_id");

-- CreateIndex
CREATE INDEX "invite_link_channel_id_created_at_id_idx" ON "invite_link"("channel_id", "created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "invite_link_channel_id_name_key_id_idx" ON "invite_link"("channel_id", "name_key", "id");

-- CreateIndex
CREATE INDEX "invite_link_channel_id_name_key_desc_idx" ON "invite_link"("channel_id", "name_key" DESC NULLS LAST, "id" DESC);

-- CreateIndex
CREATE INDEX "invite_link_channel_id_budget_id_idx" ON "invite_link"("channel_id", "budget", "id");

-- CreateIndex
CREATE INDEX "invite_link_channel_id_join_count_id_idx" ON "invite_link"("channel_id", "join_count", "id");

-- CreateIndex
CREATE UNIQUE INDEX "invite_link_channel_id_url_key" ON "invite_link"("channel_id", "url");

-- CreateIndex
CREATE INDEX "invite_link_tag_tag_id_channel_id_link_id_idx" ON "invite_link_tag"("tag_id", "channel_id", "link_id");

-- CreateIndex
CREATE INDEX "invite_link_tag_channel_id_type_id_link_id_idx" ON "invite_link_tag"("channel_id", "type_id", "link_id");

-- CreateIndex
CREATE UNIQUE INDEX "link_creation_link_id_key" ON "link_creation"("link_id");

-- CreateIndex
CREATE INDEX "link_creation_state_created_at_idx" ON "link_creation"("state", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "link_creation_caller_idempotency_key_key" ON "link_creation"("caller", "idempotency_key");

-- CreateIndex
CREATE UNIQUE INDEX "api_token_secret_hash_key" ON "api_token"("secret_hash");

-- CreateIndex
CREATE INDEX "channel_grant_chat_id_idx" ON "channel_grant"("chat_id");

-- CreateIndex
CREATE INDEX "audit_entry_subject_id_id_idx" ON "audit_entry"("subject_id", "id");

-- AddForeignKey
ALTER TABLE "tag" ADD CONSTRAINT "tag_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tag" ADD CONSTRAINT "tag_type_id_fkey" FOREIGN KEY ("type_id") REFERENCES "tag_type"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "invite_link" ADD CONSTRAINT "invite_link_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "invite_link_tag" ADD CONSTRAINT "invite_link_tag_link_id_fkey" FOREIGN KEY ("link_id") REFERENCES "invite_link"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "invite_link_tag" ADD CONSTRAINT "invite_link_tag_tag_id_channel_id_type_id_fkey" FOREIGN KEY ("tag_id", "channel_id", "type_id") REFERENCES "tag"("id", "channel_id", "type_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "link_creation" ADD CONSTRAINT "link_creation_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "link_creation" ADD CONSTRAINT "link_creation_link_id_fkey" FOREIGN KEY ("link_id") REFERENCES "invite_link"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "channel_grant" ADD CONSTRAINT "channel_grant_token_id_fkey" FOREIGN KEY ("token_id") REFERENCES "api_token"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddCheck
ALTER TABLE "installation" ADD CONSTRAINT "installation_single_row" CHECK ("id" = 1);
ALTER TABLE "invite_link" ADD CONSTRAINT "invite_link_budget_not_negative" CHECK ("budget" >= 0);

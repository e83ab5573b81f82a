-- Decisions on requests to join. src/domain/joinRequests/ explains them.

-- CreateEnum
CREATE TYPE "join_request_decision" AS ENUM ('APPROVE', 'DECLINE');

-- AlterTable
ALTER TABLE "join_request" ADD COLUMN     "decision" "join_request_decision",
ADD COLUMN     "asked_decision" "join_request_decision",
ADD COLUMN     "decline_sequence" BIGINT;

-- CreateTable
CREATE TABLE "join_request_policy" (
    "link_id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "approve_after_seconds" INTEGER NOT NULL,

    CONSTRAINT "join_request_policy_pkey" PRIMARY KEY ("link_id")
);

-- AddForeignKey
ALTER TABLE "join_request_policy" ADD CONSTRAINT "join_request_policy_link_id_fkey" FOREIGN KEY ("link_id") REFERENCES "invite_link"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- As join_request_record, which servers of the version before still use.
CREATE TYPE "decided_request_record" AS (
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
    "decision" "join_request_decision",
    "decline_sequence" BIGINT,
    "bio" TEXT
);

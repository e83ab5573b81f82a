-- DropForeignKey
ALTER TABLE "invite_link_tag" DROP CONSTRAINT "invite_link_tag_link_id_fkey";

-- DropIndex
DROP INDEX "invite_link_tag_tag_id_channel_id_link_id_idx";

-- DropIndex
DROP INDEX "invite_link_tag_channel_id_type_id_link_id_idx";

-- AlterTable
ALTER TABLE "invite_link_tag" ADD COLUMN "created_at" TIMESTAMPTZ(3);

UPDATE "invite_link_tag" SET "created_at" = "invite_link"."created_at" FROM "invite_link" WHERE "invite_link"."id" = "link_id";

ALTER TABLE "invite_link_tag" ALTER COLUMN "created_at" SET NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX "invite_link_id_created_at_key" ON "invite_link"("id", "created_at");

-- CreateIndex
CREATE INDEX "invite_link_tag_tag_id_created_at_link_id_idx" ON "invite_link_tag"("tag_id", "created_at" DESC, "link_id" DESC);

-- CreateIndex
CREATE INDEX "invite_link_tag_channel_id_type_id_created_at_link_id_idx" ON "invite_link_tag"("channel_id", "type_id", "created_at" DESC, "link_id" DESC);

-- AddForeignKey
ALTER TABLE "invite_link_tag" ADD CONSTRAINT "invite_link_tag_link_id_created_at_fkey" FOREIGN KEY ("link_id", "created_at") REFERENCES "invite_link"("id", "created_at") ON DELETE CASCADE ON UPDATE CASCADE;

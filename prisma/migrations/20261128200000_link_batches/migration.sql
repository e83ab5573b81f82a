-- Links that are created many at once. src/domain/links/batches/ explains them.

-- CreateEnum
CREATE TYPE "link_batch_state" AS ENUM ('RUNNING', 'DONE', 'CANCELLED');

-- CreateEnum
CREATE TYPE "link_batch_item_state" AS ENUM ('WAITING', 'MADE', 'FAILED', 'UNCERTAIN', 'CANCELLED');

-- CreateTable
CREATE TABLE "link_batch" (
    "id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "caller" TEXT NOT NULL,
    "creator_id" BIGINT,
    "idempotency_key" TEXT,
    "arguments_hash" BYTEA NOT NULL,
    "state" "link_batch_state" NOT NULL,
    "owner_id" UUID,
    "item_count" INTEGER NOT NULL,
    "waiting_until" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "link_batch_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "link_batch_item" (
    "batch_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "arguments" JSONB NOT NULL,
    "external_id" TEXT,
    "state" "link_batch_item_state" NOT NULL,
    "creation_id" UUID,
    "link_id" UUID,
    "failure" JSONB,

    CONSTRAINT "link_batch_item_pkey" PRIMARY KEY ("batch_id","position")
);

-- CreateIndex
CREATE INDEX "link_batch_channel_id_id_idx" ON "link_batch"("channel_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "link_batch_caller_idempotency_key_key" ON "link_batch"("caller", "idempotency_key");

-- CreateIndex
CREATE UNIQUE INDEX "link_batch_item_creation_id_key" ON "link_batch_item"("creation_id");

-- CreateIndex
CREATE INDEX "link_batch_item_link_id_idx" ON "link_batch_item"("link_id");

-- AddForeignKey
ALTER TABLE "link_batch" ADD CONSTRAINT "link_batch_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "link_batch_item" ADD CONSTRAINT "link_batch_item_batch_id_fkey" FOREIGN KEY ("batch_id") REFERENCES "link_batch"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "link_batch_item" ADD CONSTRAINT "link_batch_item_creation_id_fkey" FOREIGN KEY ("creation_id") REFERENCES "link_creation"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "link_batch_item" ADD CONSTRAINT "link_batch_item_link_id_fkey" FOREIGN KEY ("link_id") REFERENCES "invite_link"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- Not in schema.prisma, which knows no partial indexes. The first finds the few batches that are not finished, the
-- second the items that still take an external id.
CREATE INDEX "link_batch_unfinished_idx" ON "link_batch"("id") WHERE "finished_at" IS NULL;
CREATE INDEX "link_batch_item_external_id_idx" ON "link_batch_item"("external_id")
WHERE "state" = 'WAITING' AND "external_id" IS NOT NULL;

-- An item ends with its creation, in the same transaction and whoever ends it: the server that creates the link, one
-- that finds the creation abandoned, or an administrator who settles it. A creation that failed before anybody was
-- uncertain leaves its item waiting, since nothing was created.
CREATE FUNCTION "end_batch_item"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE link_batch_item SET
    state = CASE NEW.state WHEN 'ANSWERED' THEN 'MADE' WHEN 'FAILED' THEN 'FAILED' ELSE 'UNCERTAIN' END::link_batch_item_state,
    link_id = NEW.link_id,
    failure = CASE NEW.state
      WHEN 'ANSWERED' THEN NULL
      ELSE jsonb_build_object('kind', 'unavailable', 'reason', NEW.failure,
        'carriedOut', CASE NEW.state WHEN 'FAILED' THEN 'no' ELSE 'maybe' END)
    END
  WHERE creation_id = NEW.id AND state IN ('WAITING', 'UNCERTAIN');
  RETURN NULL;
END $$;

CREATE TRIGGER "end_batch_item" AFTER UPDATE OF "state" ON "link_creation" FOR EACH ROW
WHEN (NEW.state <> OLD.state AND (NEW.state IN ('ANSWERED', 'UNCERTAIN') OR NEW.state = 'FAILED' AND OLD.state = 'UNCERTAIN'))
EXECUTE FUNCTION "end_batch_item"();

-- The transaction that wrote an audit entry, by which a reader finds the entries that were committed since it last read. The
-- column gets its default afterwards, so that the table is not rewritten.

-- AlterTable
ALTER TABLE "audit_entry" ADD COLUMN     "transaction_id" BIGINT;

ALTER TABLE "audit_entry" ALTER COLUMN "transaction_id" SET DEFAULT (((pg_current_xact_id())::text)::bigint);

-- CreateIndex
CREATE INDEX "audit_entry_channel_id_transaction_id_idx" ON "audit_entry"("channel_id", "transaction_id");

-- The few entries that tell the former id of a chat.
CREATE INDEX "audit_entry_migrations_idx" ON "audit_entry"("id") WHERE "action" = 'channel.migrate';

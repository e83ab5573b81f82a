-- The order of auditEntries under each filter. The entries of one subject are few, and are found by the index that there is.

-- CreateIndex
CREATE INDEX "audit_entry_channel_id_at_id_idx" ON "audit_entry"("channel_id", "at", "id");

-- CreateIndex
CREATE INDEX "audit_entry_caller_at_id_idx" ON "audit_entry"("caller", "at", "id");

-- CreateIndex
CREATE INDEX "audit_entry_action_at_id_idx" ON "audit_entry"("action", "at", "id");

-- Below is what Prisma cannot say.

-- The order of all entries. Every entry meets the condition, but only the list without a filter states it: under a filter
-- PostgreSQL would read this index from its end, and the entries that match may all be old.
CREATE INDEX "audit_entry_all_idx" ON "audit_entry"("at", "id") WHERE length("action") > 0;

-- Not in schema.prisma, which knows no partial indexes. Finds the few entries of chat migrations that made one channel of
-- two, by the id of the channel that is gone.
CREATE INDEX "audit_entry_merged_idx" ON "audit_entry" (("change" ->> 'merged')) WHERE "action" = 'channel.migrate';

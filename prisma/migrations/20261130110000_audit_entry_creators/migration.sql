-- Not in schema.prisma, which knows no partial indexes. Finds the few entries that name a person, the creator of a link, for
-- the day when the person is erased.
CREATE INDEX "audit_entry_creators_idx" ON "audit_entry"("id") WHERE "change" ? 'creatorId';

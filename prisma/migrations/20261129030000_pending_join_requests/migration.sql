-- The pending requests of a channel, the latest first. They may all be older than very many that were decided.
CREATE INDEX "join_request_pending_idx" ON "join_request"("channel_id", "requested_at", "id") WHERE "state" = 'PENDING';

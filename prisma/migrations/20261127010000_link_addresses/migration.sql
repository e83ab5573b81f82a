-- Telegram shortens the addresses of other administrators' links, so that links are looked up by the beginning of their
-- address. Ordered by code point, the index on (channel_id, url) serves that.
ALTER TABLE "invite_link" ALTER COLUMN "url" TYPE TEXT COLLATE "C";

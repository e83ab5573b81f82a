-- AlterTable
ALTER TABLE "channel" ADD COLUMN "tags_version" UUID NOT NULL DEFAULT gen_random_uuid();

-- Below is what Prisma cannot say: whatever changes what is shown of a channel's tags renews their version in the same
-- transaction, so that who sees a link's tags by their ids knows whether what it remembers of them still holds.

CREATE FUNCTION renew_tags_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE channel SET tags_version = gen_random_uuid() WHERE id IN (SELECT channel_id FROM changed);
  RETURN NULL;
END $$;

CREATE TRIGGER tag_made AFTER INSERT ON tag
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION renew_tags_version();
CREATE TRIGGER tag_changed AFTER UPDATE ON tag
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION renew_tags_version();
CREATE TRIGGER tag_deleted AFTER DELETE ON tag
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION renew_tags_version();

CREATE FUNCTION renew_tags_version_of_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE channel SET tags_version = gen_random_uuid()
  WHERE id IN (SELECT tag.channel_id FROM tag JOIN changed ON changed.id = tag.type_id);
  RETURN NULL;
END $$;

CREATE TRIGGER tag_type_changed AFTER UPDATE ON tag_type
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION renew_tags_version_of_type();

CREATE FUNCTION renew_own_tags_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.tags_version := gen_random_uuid();
  RETURN NEW;
END $$;

-- A tag is shown with its channel's Telegram id.
CREATE TRIGGER channel_moved BEFORE UPDATE OF chat_id ON channel
  FOR EACH ROW EXECUTE FUNCTION renew_own_tags_version();

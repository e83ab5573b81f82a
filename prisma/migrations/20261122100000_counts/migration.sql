-- Which links there are and what they carry, as bits, so that counting a million of them means counting the bits of
-- some thousand rows: how many a channel has, or carry a tag, or carry one of these tags and none of that type.
--
-- Every link has a place in a block of 8,192 links of its channel. A row of block_tag says of each place of a block
-- whether its link carries the tag, a row of block_type whether it carries any of the type, and a row of block_budget
-- whether this binary digit of its budget, in hundredths, is set: the sum over any links is that of 2^digit for each
-- bit. link_day counts a channel's links by their day.
--
-- Triggers keep all of it, whoever writes, in the very transaction. Who adds links takes a block, and a row of
-- link_day, that nobody else is writing to, and makes another where there is none: none of them waits for another.

-- CreateTable
CREATE TABLE "link_block" (
    "id" BIGSERIAL NOT NULL,
    "channel_id" UUID NOT NULL,
    "filled" INTEGER NOT NULL,
    "links" BIT(8192) NOT NULL,

    CONSTRAINT "link_block_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "link_place" (
    "link_id" UUID NOT NULL,
    "block_id" BIGINT NOT NULL,
    "place" INTEGER NOT NULL,

    CONSTRAINT "link_place_pkey" PRIMARY KEY ("link_id")
);

-- CreateTable
CREATE TABLE "block_tag" (
    "block_id" BIGINT NOT NULL,
    "tag_id" UUID NOT NULL,
    "links" BIT(8192) NOT NULL,

    CONSTRAINT "block_tag_pkey" PRIMARY KEY ("block_id","tag_id")
);

-- CreateTable
CREATE TABLE "block_type" (
    "block_id" BIGINT NOT NULL,
    "type_id" UUID NOT NULL,
    "links" BIT(8192) NOT NULL,

    CONSTRAINT "block_type_pkey" PRIMARY KEY ("block_id","type_id")
);

-- CreateTable
CREATE TABLE "block_budget" (
    "block_id" BIGINT NOT NULL,
    "digit" INTEGER NOT NULL,
    "links" BIT(8192) NOT NULL,

    CONSTRAINT "block_budget_pkey" PRIMARY KEY ("block_id","digit")
);

-- CreateTable
CREATE TABLE "link_day" (
    "id" BIGSERIAL NOT NULL,
    "channel_id" UUID NOT NULL,
    "day" DATE NOT NULL,
    "links" INTEGER NOT NULL,

    CONSTRAINT "link_day_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "link_block_channel_id_id_idx" ON "link_block"("channel_id", "id");

-- CreateIndex
CREATE INDEX "block_tag_tag_id_block_id_idx" ON "block_tag"("tag_id", "block_id");

-- CreateIndex
CREATE INDEX "block_type_type_id_block_id_idx" ON "block_type"("type_id", "block_id");

-- CreateIndex
CREATE INDEX "link_day_channel_id_day_idx" ON "link_day"("channel_id", "day");

-- AddForeignKey
ALTER TABLE "link_block" ADD CONSTRAINT "link_block_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "block_tag" ADD CONSTRAINT "block_tag_block_id_fkey" FOREIGN KEY ("block_id") REFERENCES "link_block"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "block_tag" ADD CONSTRAINT "block_tag_tag_id_fkey" FOREIGN KEY ("tag_id") REFERENCES "tag"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "block_type" ADD CONSTRAINT "block_type_block_id_fkey" FOREIGN KEY ("block_id") REFERENCES "link_block"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "block_type" ADD CONSTRAINT "block_type_type_id_fkey" FOREIGN KEY ("type_id") REFERENCES "tag_type"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "block_budget" ADD CONSTRAINT "block_budget_block_id_fkey" FOREIGN KEY ("block_id") REFERENCES "link_block"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "link_day" ADD CONSTRAINT "link_day_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- A changed row finds room on its own page, so that no index need learn of it.
ALTER TABLE "link_block" SET (fillfactor = 80);
ALTER TABLE "block_tag" SET (fillfactor = 80);
ALTER TABLE "block_type" SET (fillfactor = 80);
ALTER TABLE "block_budget" SET (fillfactor = 80);
ALTER TABLE "link_day" SET (fillfactor = 80);

-- Rows that several may write are taken in the order of their keys, so that two seldom wait for each other.

-- places(place, 1): the bits of a block at these places. As set_bit adds one to the others it takes a fraction of what
-- bit_or of a block's bits for each would.
DO $$ BEGIN
  EXECUTE format(
    'CREATE AGGREGATE "places"(integer, integer) (SFUNC = set_bit, STYPE = bit, INITCOND = %L)', repeat('0', 8192));
END $$;

CREATE FUNCTION "utc_day"("instant" timestamptz) RETURNS date IMMUTABLE STRICT PARALLEL SAFE
RETURN ("instant" AT TIME ZONE 'UTC')::date;

-- The places of links whose budgets were these and are those: in each digit's row, the bits that are no longer right.
CREATE FUNCTION "change_budgets"("ids" uuid[], "old_budgets" numeric[], "new_budgets" numeric[]) RETURNS void
LANGUAGE plpgsql STRICT AS $$
BEGIN
  INSERT INTO block_budget (block_id, digit, links)
  SELECT p.block_id, digit, places(p.place, 1)
  FROM (
    SELECT id, (old_budget * 100)::bigint # (new_budget * 100)::bigint AS digits
    FROM unnest(ids, old_budgets, new_budgets) AS budget (id, old_budget, new_budget) OFFSET 0
  ) changed
  JOIN link_place p ON p.link_id = changed.id
  CROSS JOIN generate_series(0, 46) digit
  WHERE (digits >> digit) & 1 = 1
  GROUP BY p.block_id, digit ORDER BY p.block_id, digit
  ON CONFLICT (block_id, digit) DO UPDATE SET links = block_budget.links # excluded.links;
END $$;

CREATE FUNCTION "mark_tags"("link_ids" uuid[], "tag_ids" uuid[]) RETURNS void
LANGUAGE plpgsql STRICT AS $$
BEGIN
  INSERT INTO block_tag (block_id, tag_id, links)
  SELECT p.block_id, given.tag_id, places(p.place, 1)
  FROM unnest(link_ids, tag_ids) AS given (link_id, tag_id) JOIN link_place p USING (link_id)
  GROUP BY p.block_id, given.tag_id ORDER BY p.block_id, given.tag_id
  ON CONFLICT (block_id, tag_id) DO UPDATE SET links = block_tag.links | excluded.links;
  INSERT INTO block_type (block_id, type_id, links)
  SELECT p.block_id, tag.type_id, places(p.place, 1)
  FROM unnest(link_ids, tag_ids) AS given (link_id, tag_id)
  JOIN link_place p USING (link_id) JOIN tag ON tag.id = given.tag_id
  GROUP BY p.block_id, tag.type_id ORDER BY p.block_id, tag.type_id
  ON CONFLICT (block_id, type_id) DO UPDATE SET links = block_type.links | excluded.links;
END $$;

-- What of a type is still carried in blocks, where tags are no longer. The row is held first: whoever marks another
-- tag of the type meanwhile has done so already, or adds to what is found here.
CREATE FUNCTION "mark_types"("block_ids" bigint[], "type_ids" uuid[]) RETURNS void
LANGUAGE plpgsql STRICT AS $$
DECLARE
  pair record;
BEGIN
  FOR pair IN
    SELECT DISTINCT block_id, type_id FROM unnest(block_ids, type_ids) AS pair (block_id, type_id)
    ORDER BY block_id, type_id
  LOOP
    PERFORM FROM block_type b WHERE b.block_id = pair.block_id AND b.type_id = pair.type_id FOR NO KEY UPDATE;
    INSERT INTO block_type (block_id, type_id, links)
    SELECT pair.block_id, pair.type_id, coalesce(bit_or(t.links), 0::bit(8192))
    FROM block_tag t JOIN tag ON tag.id = t.tag_id AND tag.type_id = pair.type_id
    WHERE t.block_id = pair.block_id
    ON CONFLICT (block_id, type_id) DO UPDATE SET links = excluded.links;
  END LOOP;
END $$;

-- Of a tag that is gone the rows are gone, too; of a link that is gone leave_links clears them. A link that another
-- transaction is moving to another channel is waited for: its place will be another.
CREATE FUNCTION "unmark_tags"("link_ids" uuid[], "tag_ids" uuid[]) RETURNS void
LANGUAGE plpgsql STRICT AS $$
DECLARE
  taken record;
BEGIN
  PERFORM FROM invite_link WHERE id IN (
    SELECT link_id FROM unnest(link_ids, tag_ids) AS pair (link_id, tag_id) JOIN tag ON tag.id = pair.tag_id
  ) ORDER BY id FOR KEY SHARE;
  FOR taken IN
    SELECT p.block_id, pair.tag_id, places(p.place, 1) AS links
    FROM unnest(link_ids, tag_ids) AS pair (link_id, tag_id)
    JOIN tag ON tag.id = pair.tag_id
    JOIN invite_link l ON l.id = pair.link_id
    JOIN link_place p ON p.link_id = pair.link_id
    GROUP BY p.block_id, pair.tag_id ORDER BY p.block_id, pair.tag_id
  LOOP
    UPDATE block_tag SET links = links & ~taken.links
    WHERE block_id = taken.block_id AND tag_id = taken.tag_id;
  END LOOP;
  PERFORM mark_types(array_agg(p.block_id), array_agg(tag.type_id))
  FROM unnest(link_ids, tag_ids) AS pair (link_id, tag_id)
  JOIN tag ON tag.id = pair.tag_id JOIN link_place p ON p.link_id = pair.link_id;
END $$;

-- Gives links of a channel their places, and marks there what they are and carry.
CREATE FUNCTION "enter_links"("channel" uuid, "ids" uuid[]) RETURNS void
LANGUAGE plpgsql STRICT AS $$
DECLARE
  block link_block;
  entered integer := 0;
  part uuid[];
BEGIN
  WHILE entered < cardinality(ids) LOOP
    SELECT * INTO block FROM link_block WHERE channel_id = channel AND filled < 8192
    ORDER BY id DESC LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      INSERT INTO link_block (channel_id, filled, links) VALUES (channel, 0, 0::bit(8192)) RETURNING * INTO block;
    END IF;
    part := ids[entered + 1 : entered + 8192 - block.filled];
    entered := entered + cardinality(part);
    INSERT INTO link_place (link_id, block_id, place)
    SELECT id, block.id, block.filled + number - 1 FROM unnest(part) WITH ORDINALITY AS entering (id, number);
    UPDATE link_block SET
      filled = filled + cardinality(part),
      links = links | (~(0::bit(8192)) << (8192 - cardinality(part)) >> block.filled)
    WHERE id = block.id;
    PERFORM change_budgets(array_agg(id), array_agg(0.00), array_agg(budget))
    FROM invite_link WHERE id = ANY (part) AND budget <> 0;
    PERFORM mark_tags(array_agg(link_id), array_agg(tag_id)) FROM invite_link_tag WHERE link_id = ANY (part);
  END LOOP;
END $$;

-- Takes links' places from them; no other link is given them.
CREATE FUNCTION "leave_links"("ids" uuid[]) RETURNS void
LANGUAGE plpgsql STRICT AS $$
DECLARE
  block record;
BEGIN
  FOR block IN
    WITH place AS (DELETE FROM link_place WHERE link_id = ANY (ids) RETURNING block_id, place)
    SELECT block_id AS id, places(place, 1) AS links FROM place GROUP BY block_id ORDER BY block_id
  LOOP
    UPDATE link_block SET links = links & ~block.links WHERE id = block.id;
    PERFORM FROM block_tag WHERE block_id = block.id AND links & block.links <> 0::bit(8192)
    ORDER BY tag_id FOR NO KEY UPDATE;
    UPDATE block_tag SET links = links & ~block.links
    WHERE block_id = block.id AND links & block.links <> 0::bit(8192);
    PERFORM FROM block_type WHERE block_id = block.id AND links & block.links <> 0::bit(8192)
    ORDER BY type_id FOR NO KEY UPDATE;
    UPDATE block_type SET links = links & ~block.links
    WHERE block_id = block.id AND links & block.links <> 0::bit(8192);
    PERFORM FROM block_budget WHERE block_id = block.id AND links & block.links <> 0::bit(8192)
    ORDER BY digit FOR NO KEY UPDATE;
    UPDATE block_budget SET links = links & ~block.links
    WHERE block_id = block.id AND links & block.links <> 0::bit(8192);
  END LOOP;
END $$;

-- Of a channel that is gone nothing is counted.
CREATE FUNCTION "count_day"("channel" uuid, "counted_day" date, "added" bigint) RETURNS void
LANGUAGE plpgsql STRICT AS $$
BEGIN
  UPDATE link_day SET links = links + added WHERE id = (
    SELECT id FROM link_day WHERE channel_id = channel AND day = counted_day
    LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
  );
  IF NOT FOUND THEN
    INSERT INTO link_day (channel_id, day, links)
    SELECT id, counted_day, added FROM channel c WHERE c.id = channel;
  END IF;
END $$;

CREATE FUNCTION "count_added_links"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM enter_links(channel_id, array_agg(id ORDER BY created_at, id)) FROM added GROUP BY channel_id;
  PERFORM count_day(channel_id, utc_day(created_at), count(*)) FROM added
  GROUP BY channel_id, utc_day(created_at);
  RETURN NULL;
END $$;

CREATE FUNCTION "count_changed_links"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM leave_links(array_agg(id)) FROM (
    SELECT id, channel_id FROM were EXCEPT SELECT id, channel_id FROM became
  ) left_channel;
  PERFORM enter_links(channel_id, array_agg(id)) FROM (
    SELECT id, channel_id FROM became EXCEPT SELECT id, channel_id FROM were
  ) entered_channel GROUP BY channel_id;
  PERFORM change_budgets(array_agg(id), array_agg(were.budget), array_agg(became.budget))
  FROM were JOIN became USING (id, channel_id) WHERE were.budget <> became.budget;
  PERFORM count_day(channel_id, day, sum(added)::bigint) FROM (
    SELECT channel_id, utc_day(created_at) AS day, 1 AS added FROM became
    UNION ALL SELECT channel_id, utc_day(created_at), -1 FROM were
  ) changed GROUP BY channel_id, day HAVING sum(added) <> 0;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_removed_links"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM leave_links(array_agg(id)) FROM removed;
  PERFORM count_day(channel_id, utc_day(created_at), -count(*)) FROM removed
  GROUP BY channel_id, utc_day(created_at);
  RETURN NULL;
END $$;

CREATE FUNCTION "count_no_links"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM link_place;
  DELETE FROM link_block;
  DELETE FROM link_day;
  RETURN NULL;
END $$;

CREATE TRIGGER "count_added" AFTER INSERT ON "invite_link"
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "count_added_links"();
CREATE TRIGGER "count_changed" AFTER UPDATE ON "invite_link"
REFERENCING OLD TABLE AS were NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION "count_changed_links"();
CREATE TRIGGER "count_removed" AFTER DELETE ON "invite_link"
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION "count_removed_links"();
CREATE TRIGGER "count_none" AFTER TRUNCATE ON "invite_link"
FOR EACH STATEMENT EXECUTE FUNCTION "count_no_links"();

CREATE FUNCTION "count_given_tags"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mark_tags(array_agg(link_id), array_agg(tag_id)) FROM given;
  RETURN NULL;
END $$;

-- What changes of them alone is the type or the channel that stands beside the tag.
CREATE FUNCTION "count_changed_tags"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM unmark_tags(array_agg(link_id), array_agg(tag_id)) FROM (
    SELECT link_id, tag_id FROM were EXCEPT SELECT link_id, tag_id FROM became
  ) taken;
  PERFORM mark_tags(array_agg(link_id), array_agg(tag_id)) FROM (
    SELECT link_id, tag_id FROM became EXCEPT SELECT link_id, tag_id FROM were
  ) given;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_taken_tags"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM unmark_tags(array_agg(link_id), array_agg(tag_id)) FROM taken;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_no_tags"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM block_tag;
  DELETE FROM block_type;
  RETURN NULL;
END $$;

CREATE TRIGGER "count_given" AFTER INSERT ON "invite_link_tag"
REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION "count_given_tags"();
CREATE TRIGGER "count_changed" AFTER UPDATE ON "invite_link_tag"
REFERENCING OLD TABLE AS were NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION "count_changed_tags"();
CREATE TRIGGER "count_taken" AFTER DELETE ON "invite_link_tag"
REFERENCING OLD TABLE AS taken FOR EACH STATEMENT EXECUTE FUNCTION "count_taken_tags"();
CREATE TRIGGER "count_none" AFTER TRUNCATE ON "invite_link_tag"
FOR EACH STATEMENT EXECUTE FUNCTION "count_no_tags"();

-- A type's tags become others.
CREATE FUNCTION "count_changed_types"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mark_types(array_agg(t.block_id), array_agg(changed.type_id)) FROM (
    SELECT was.id, unnest(ARRAY[was.type_id, became.type_id]) AS type_id
    FROM were was JOIN became USING (id) WHERE was.type_id <> became.type_id
  ) changed JOIN block_tag t ON t.tag_id = changed.id;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_removed_tags"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mark_types(array_agg(b.block_id), array_agg(b.type_id))
  FROM (SELECT DISTINCT channel_id, type_id FROM removed) tag
  JOIN link_block ON link_block.channel_id = tag.channel_id
  JOIN block_type b ON b.block_id = link_block.id AND b.type_id = tag.type_id;
  RETURN NULL;
END $$;

CREATE TRIGGER "count_changed" AFTER UPDATE ON "tag"
REFERENCING OLD TABLE AS were NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION "count_changed_types"();
CREATE TRIGGER "count_removed" AFTER DELETE ON "tag"
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION "count_removed_tags"();

-- Counts everything anew: for links that came while triggers did not fire, as in a copy of the data alone.
CREATE FUNCTION "recount"() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE invite_link, invite_link_tag IN SHARE ROW EXCLUSIVE MODE;
  TRUNCATE link_place, link_day, link_block, block_tag, block_type, block_budget;
  PERFORM enter_links(channel_id, array_agg(id ORDER BY created_at, id)) FROM invite_link GROUP BY channel_id;
  INSERT INTO link_day (channel_id, day, links)
  SELECT channel_id, utc_day(created_at), count(*) FROM invite_link
  GROUP BY channel_id, utc_day(created_at) ORDER BY 1, 2;
END $$;

SELECT recount();

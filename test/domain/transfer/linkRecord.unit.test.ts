import { expect, test } from "vitest";
import { Problems } from "../../../src/domain/shared/errors.js";
import { readNewLink } from "../../../src/domain/transfer/linkRecord.js";

const CHAT = -1001234567890;

test("a link that is to be created ignores what only an existing link has, whatever it is", () => {
  const problems = new Problems();
  const link = readNewLink(
    {
      name: "New",
      budget: "1,5",
      member_limit: "0",
      url: "somewhere",
      created_at: "yesterday",
      creator_id: "nobody",
      is_bot_created: "perhaps",
      is_revoked: ["?"],
    },
    CHAT,
    problems,
  );
  expect(problems.all).toEqual([]);
  expect(link).toEqual({ name: "New", budget: "1.50", memberLimit: null, tags: [] });
});

test("a link that is to be created names every value that is not acceptable", () => {
  const problems = new Problems();
  const record = { name: "", budget: "-1", expire_date: "soon", external_id: ["x"], channel_id: CHAT - 1 };
  expect(readNewLink(record, CHAT, problems)).toBeNull();
  expect(problems.all.map(({ field }) => field).sort()).toEqual([
    "budget",
    "channel_id",
    "expire_date",
    "external_id",
    "name",
  ]);
});

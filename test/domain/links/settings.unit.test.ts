import { describe, expect, test } from "vitest";
import { NO_SETTINGS, settledColumns } from "../../../src/domain/links/settings.js";

const answer = { invite_link: "https://t.me/+abc" };
const asked = { name: "Asked", createsJoinRequest: true, expireDate: 1_900_000_000, memberLimit: 5 };

describe("what is stored of a link", () => {
  test("is what was asked for, where Telegram says nothing of it", () => {
    expect(settledColumns(answer, asked)).toEqual({
      name: "Asked",
      nameKey: "asked",
      createsJoinRequest: true,
      expireDate: new Date(1_900_000_000_000),
      memberLimit: 5,
      isRevoked: false,
    });
  });

  test("is what Telegram says, whatever was asked for", () => {
    const said = { name: "Said", creates_join_request: false, expire_date: 0, member_limit: 0 };
    expect(settledColumns({ ...answer, ...said, is_revoked: true }, asked)).toEqual({
      name: "Said",
      nameKey: "said",
      createsJoinRequest: false,
      expireDate: null,
      memberLimit: null,
      isRevoked: true,
    });
    expect(settledColumns({ ...answer, name: "" }, NO_SETTINGS)).toMatchObject({ name: null, nameKey: null });
  });
});

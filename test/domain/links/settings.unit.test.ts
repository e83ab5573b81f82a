import { describe, expect, test } from "vitest";
import { NO_SETTINGS, storedSettings } from "../../../src/domain/links/settings.js";

const answer = { invite_link: "https://t.me/+abc" };
const requested = { name: "Asked", createsJoinRequest: true, expireDate: 1_900_000_000, memberLimit: 5 };

describe("the stored settings of a link", () => {
  test("a setting that Telegram's answer leaves out is stored as it was requested", () => {
    expect(storedSettings(answer, requested)).toEqual({
      name: "Asked",
      nameKey: "asked",
      createsJoinRequest: true,
      expireDate: new Date(1_900_000_000_000),
      memberLimit: 5,
    });
  });

  test("an answer that says that the link is not revoked leaves a stored revocation as it is", () => {
    expect(storedSettings({ ...answer, is_revoked: false }, requested)).not.toHaveProperty("isRevoked");
  });

  test("a setting in Telegram's answer is stored as Telegram gives it", () => {
    const said = { name: "Said", creates_join_request: false, expire_date: 0, member_limit: 0 };
    expect(storedSettings({ ...answer, ...said, is_revoked: true }, requested)).toEqual({
      name: "Said",
      nameKey: "said",
      createsJoinRequest: false,
      expireDate: null,
      memberLimit: null,
      isRevoked: true,
    });
    expect(storedSettings({ ...answer, name: "" }, NO_SETTINGS)).toMatchObject({ name: null, nameKey: null });
  });
});

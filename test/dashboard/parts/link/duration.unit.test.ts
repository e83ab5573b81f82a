import { expect, test } from "vitest";
import { duration } from "../../../../dashboard/src/parts/link/duration.js";

test.each([
  [1, "en", "1 second"],
  [60, "en", "1 minute"],
  [300, "en", "5 minutes"],
  [5400, "en", "1 hour, 30 minutes"],
  [90_061, "en", "1 day, 1 hour, 1 minute, 1 second"],
  [604_800, "en", "7 days"],
  [300, "ru", "5 минут"],
  [90_000, "ru", "1 день 1 час"],
])("%i seconds in %s are %s", (seconds, language, words) => {
  expect(duration(seconds, language).replaceAll("\u00a0", " ")).toBe(words);
});

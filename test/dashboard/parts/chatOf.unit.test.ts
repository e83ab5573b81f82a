import { expect, test } from "vitest";
import { chatOf } from "../../../dashboard/src/parts/chatOf.js";

test.each([
  [" @morning_news ", "@morning_news"],
  ["morning_news", "@morning_news"],
  ["t.me/morning_news", "@morning_news"],
  ["https://t.me/morning_news/17?single", "@morning_news"],
  ["https://t.me/s/morning_news", "@morning_news"],
  ["https://telegram.me/Morning", "@Morning"],
  ["https://t.me/c/1234567890/17", "-1001234567890"],
  ["-1001234567890", "-1001234567890"],
  // The server says what is wrong with the rest.
  ["https://t.me/+AbCdEf", "https://t.me/+AbCdEf"],
  ["1234", "1234"],
])("the chat that %s names is %s", (typed, chat) => {
  expect(chatOf(typed)).toBe(chat);
});

import { describe, expect, it } from "vitest";
import { Problems } from "../../../src/domain/shared/errors.js";
import { isPublic, type Resolve } from "../../../src/domain/webhooks/addresses.js";
import { fillMacros, MACROS } from "../../../src/domain/webhooks/macros.js";
import { checkUrl } from "../../../src/domain/webhooks/webhookUrl.js";
import { PRIVATE_ADDRESSES, PUBLIC_ADDRESSES, SPELLINGS_OF_PRIVATE } from "./privateAddresses.js";

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "public.example": ["93.184.216.34"],
  "private.example": ["10.0.0.1"],
  "both.example": ["10.0.0.1", "93.184.216.34"],
  "six.example": ["fd00::1"],
};

const resolve: Resolve = async (name) => {
  const addresses = NAMES[name];
  if (!addresses) throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
  return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
};

async function problemsOf(
  url: string,
  format: "STANDARD" | "POSTBACK" = "STANDARD",
  allowPrivate = false,
): Promise<readonly string[]> {
  const problems = new Problems();
  await checkUrl(url, format, { allowPrivate, tagTypeNames: ["Platform", "Ad set"], resolve }, problems);
  return problems.all.map(({ field, message }) => `${field}: ${message}`);
}

describe("an IP address", () => {
  it.each(PRIVATE_ADDRESSES)("%s is not public", (address) => {
    expect(isPublic(address)).toBe(false);
  });

  it.each(PUBLIC_ADDRESSES)("%s is public", (address) => {
    expect(isPublic(address)).toBe(true);
  });
});

describe("the address of a webhook", () => {
  it.each([
    "https://example.com/hook",
    "https://EXAMPLE.com:8443/a?b=c#d",
    "https://public.example",
    "https://both.example",
    "https://8.8.8.8/x",
    "https://[2606:4700::1111]/x",
    "https://unknown.example/",
    "https://bücher.example/",
  ])("may be %s", async (url) => {
    expect(await problemsOf(url)).toEqual([]);
  });

  it.each([
    "http://example.com/hook",
    "ftp://example.com",
    "//example.com",
    "example.com",
    "",
    "https://",
    "https://user@example.com",
    "https://user:pw@example.com",
    "https://:pw@example.com",
    "https://exa mple.com",
    "https://example.com/a b",
    "https://example.com/\u0000",
    "https://example.com/\n",
    "https://example.com/\ud800",
    "https://example.com:99999/",
    `https://example.com/${"x".repeat(2048)}`,
    "https://private.example/",
    "https://six.example/",
    "javascript:alert(1)",
  ])("must not be %j", async (url) => {
    expect(await problemsOf(url)).toEqual([expect.stringMatching(/^url: Must /)]);
  });

  it.each(SPELLINGS_OF_PRIVATE)("must not be %s, which is private", async (host) => {
    expect(await problemsOf(`https://${host}/hook`)).toEqual([expect.stringMatching(/^url: Must /)]);
    expect(await problemsOf(`https://${host}:8443/?a={event}`, "POSTBACK")).toEqual([
      expect.stringMatching(/^url: Must /),
    ]);
  });

  it.each(["http://127.0.0.1:4000/x", "https://localhost/", "http://private.example", "http://[::1]/"])(
    "may be %s where private addresses are allowed",
    async (url) => {
      expect(await problemsOf(url, "STANDARD", true)).toEqual([]);
    },
  );

  it("may hold every macro, and tags by the names of their types", async () => {
    const query = MACROS.map((macro) => `${macro}={${macro}}`).join("&");
    expect(
      await problemsOf(`https://example.com/{event}?${query}&p={tag:platform}&a={tag: Ad set}`, "POSTBACK"),
    ).toEqual([]);
  });

  it.each([
    ["https://example.com/?a={clickid}", /no macro \{clickid\}/],
    ["https://example.com/?a={}", /no macro \{\}/],
    ["https://example.com/?a={EVENT}", /no macro \{EVENT\}/],
    ["https://example.com/?a={tag:Nothing}", /no tag type "Nothing"/],
    ["https://{event}.example.com/", /host and port contain no macro/],
    ["https://example.com:{event_id}/", /host and port contain no macro/],
    ["https://{user_id}@example.com/", /host and port contain no macro/],
    ["{link_url}", /host and port contain no macro/],
    ["https://example.com{link_name}/", /host and port contain no macro/],
  ])("must not be %s for a POSTBACK", async (url, message) => {
    expect(await problemsOf(url, "POSTBACK")).toEqual([expect.stringMatching(message)]);
  });

  it("keeps braces that are no macros of a STANDARD webhook", async () => {
    expect(await problemsOf("https://example.com/?a={clickid}")).toEqual([]);
  });
});

describe("the macros of an address", () => {
  it("are encoded, joined by commas for tags, and empty without a value", () => {
    const fields = {
      ...Object.fromEntries(MACROS.map((macro) => [macro, ""])),
      link_name: "a b&c=/ü{event}",
    };
    const filled = fillMacros("https://h/?n={link_name}&t={tag:A}&x={budget}", {
      fields: fields as Record<(typeof MACROS)[number], string>,
      tagNames: (type) => (type === "A" ? ["one", "two,three"] : []),
    });
    expect(filled).toBe("https://h/?n=a%20b%26c%3D%2F%C3%BC%7Bevent%7D&t=one%2Ctwo%2Cthree&x=");
  });

  it.each([".", ".."])("lead to no other path where a value is %s", (value) => {
    const fields = Object.fromEntries(MACROS.map((macro) => [macro, value]));
    const filled = fillMacros("https://h/hooks/{link_name}/{tag:Why?}/{external_id}?n={link_name}", {
      fields: fields as Record<(typeof MACROS)[number], string>,
      tagNames: () => [value],
    });
    const { pathname, searchParams } = new URL(filled);
    expect(pathname.split("/").map((segment) => decodeURIComponent(decodeURIComponent(segment)))).toEqual([
      "",
      "hooks",
      value,
      value,
      value,
    ]);
    expect(searchParams.get("n")).toBe(value);
  });
});

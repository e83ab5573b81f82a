import { afterEach, describe, expect, test, vi } from "vitest";
import { toLine } from "../../src/cli/errors.js";
import { note, print, table } from "../../src/cli/output.js";

afterEach(() => vi.restoreAllMocks());

describe("the output of a command", () => {
  test.each([
    [true, "two\nlines\n"],
    [false, '{"lines":2}\n'],
  ])("the output is text on a terminal (%s) and one line of JSON otherwise", (isTTY, expected) => {
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const before = process.stdout.isTTY;
    process.stdout.isTTY = isTTY;
    print({ lines: 2 }, "two\nlines");
    process.stdout.isTTY = before;
    expect(write.mock.calls).toEqual([[expected]]);
  });

  test("the output has table columns as wide as their widest cell", () => {
    expect(
      table([
        ["ID", "NAME", "ROLE"],
        ["12345", "A", "ADMIN"],
        ["6", "Long name", ""],
      ]),
    ).toBe("ID     NAME       ROLE\n12345  A          ADMIN\n6      Long name");
  });

  test("the output on a terminal has no control character that a text of somebody else contains", () => {
    const written: unknown[] = [];
    for (const stream of [process.stdout, process.stderr])
      vi.spyOn(stream, "write").mockImplementation((text) => written.push(text) > 0);
    const before = process.stdout.isTTY;
    process.stdout.isTTY = true;
    const hostile = "a\u001b[2K\rb\u009b1A\u0007\tc\nd";
    print({}, hostile);
    process.stdout.isTTY = before;
    note(hostile);
    const shown = "a\ufffd[2K\ufffdb\ufffd1A\ufffd\tc\nd\n";
    expect(written).toEqual([shown, shown]);
    expect(toLine(hostile)).toBe("a\ufffd[2K b\ufffd1A\ufffd c d");
  });

  test("the output of an error is one line without a bot token", () => {
    expect(toLine(" Two\n\nlines: /bot123456789:AA-secret/getMe and 123456789%3Aaa_secret\n")).toBe(
      "Two lines: /bot[secret]/getMe and [secret]",
    );
    expect(toLine("at 2025-05-02T15:46:10.9476699 on 127.0.0.1:4000")).toBe(
      "at 2025-05-02T15:46:10.9476699 on 127.0.0.1:4000",
    );
  });
});

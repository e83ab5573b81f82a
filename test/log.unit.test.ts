import { describe, expect, test } from "vitest";
import { createLog, readableLines } from "../src/log.js";

/** What the log writes of an error whose message, stack and property somebody else chose. */
async function linesOf(isReadable: boolean): Promise<string[]> {
  const lines: string[] = [];
  const format = isReadable ? await readableLines() : null;
  const write = (line: string): void => void lines.push(line);
  const log = createLog({ level: "info", format, secrets: ["the-secret"], write });
  const hostile = 'x\u001b[2K\r\u009b1A\n{"level":"fatal","msg":"forged"} the-secret';
  const error = Object.assign(new Error(hostile), { stack: `Error: ${hostile}`, detail: hostile });
  log.error({ err: error, name: hostile }, hostile);
  return lines;
}

describe("the log", () => {
  test("a hostile text neither begins a line of JSON nor shows a secret", async () => {
    const lines = await linesOf(false);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "error" });
    expect(lines[0]).not.toContain("the-secret");
  });

  test("a readable line has no control character but line ends and tabs", async () => {
    const text = (await linesOf(true)).join("");
    expect(text).toContain("forged");
    expect(text).not.toMatch(/(?![\n\t])\p{Cc}/u);
    expect(text).not.toContain("the-secret");
  });
});

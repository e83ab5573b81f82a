import { terminalText } from "../terminalText.js";

/** Prints a result to stdout: `readable` on a terminal, otherwise the result as one line of JSON. */
export function print(result: unknown, readable: string): void {
  process.stdout.write(`${process.stdout.isTTY ? terminalText(readable) : JSON.stringify(result)}\n`);
}

/** Prints a line to stderr that is not part of the result. */
export function note(line: string): void {
  process.stderr.write(`${terminalText(line)}\n`);
}

/** Aligns the columns of a table. The first row is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 0)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A reader of the output that stops early, such as `head`, is not an error. */
export function allowReadersToEnd(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code !== "EPIPE") process.exitCode = 1;
    });
  }
}

/** A command's result on stdout: on a terminal for people, elsewhere as JSON on one line. */
export function print(result: unknown, readable: string): void {
  process.stdout.write(`${process.stdout.isTTY ? readable : JSON.stringify(result)}\n`);
}

/** What is not the result, for whoever started the command. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Columns as wide as their widest cell; the first row is the heading. */
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

/** A reader of the output that ends, as `head` does, has enough: nothing that anybody has to be told. */
export function allowReadersToEnd(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code !== "EPIPE") process.exitCode = 1;
    });
  }
}

import { SourceError } from "./sourceError.js";

/** What no line of a link's reaches; more is not gathered in memory. In UTF-16 units. */
export const MAX_LINE_LENGTH = 1_000_000;

/** Where a line ends: behind LF, CRLF or CR. */
const LINE_END = /(?<=\n|\r(?!\n))/;

/** Bytes as text, without a byte order mark. @throws SourceError where they are not UTF-8 */
export async function* decodeUtf8(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      throw new SourceError("The file is not UTF-8 text. A spreadsheet can save it as such: CSV UTF-8.");
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}

/** A text's first line that has something in it, and the whole text, that line included. */
export async function peekLine(
  texts: AsyncGenerator<string>,
): Promise<{ line: string; whole: AsyncGenerator<string> }> {
  let begun = "";
  let line: string | undefined;
  while (line === undefined && begun.length < MAX_LINE_LENGTH) {
    const { value, done } = await texts.next();
    if (done) break;
    begun += value;
    // Two searches, each in one pass: one pattern for both would start again at every character of a long line.
    const rest = begun.trimStart();
    const end = rest.search(/[\r\n]/);
    if (end > 0) line = rest.slice(0, end);
  }
  return {
    line: line ?? begun.trim(),
    whole: (async function* () {
      yield begun;
      yield* texts;
    })(),
  };
}

/** Why a line, or an item of a JSON array, is no link. */
export const TOO_LONG = {
  unreadable: `This has more than ${MAX_LINE_LENGTH} characters, which no link has.`,
};

/** A text with no more of it than shows that it is too long, so that memory is bounded. */
export const cutTooLong = (text: string): string => text.slice(0, MAX_LINE_LENGTH + 1);

/** A text's lines with their numbers and line ends; one that is too long is cut. */
export async function* linesOf(texts: AsyncIterable<string>): AsyncGenerator<[number: number, line: string]> {
  let number = 0;
  let rest = "";
  for await (const text of texts) {
    const lines = (rest + text).split(LINE_END);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      number += 1;
      yield [number, line];
    }
    rest = cutTooLong(rest);
  }
  if (rest !== "") yield [number + 1, rest];
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { SourceError } from "./sourceError.js";

/** The longest line of a link, in UTF-16 units. Longer lines are cut, so that memory stays bounded. */
export const MAX_LINE_LENGTH = 1_000_000;

/** The position after LF, CRLF or CR. */
const LINE_END = /(?<=\n|\r(?!\n))/;

/** Decodes UTF-8 and drops a byte order mark. @throws SourceError if the bytes are not UTF-8 */
export async function* decodeUtf8(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      throw new SourceError('The file is not UTF-8 text. In a spreadsheet, save it as "CSV UTF-8".');
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}

/** Reads ahead to the first line that is not blank, and returns it together with the whole text. */
export async function peekLine(
  texts: AsyncGenerator<string>,
): Promise<{ line: string; whole: AsyncGenerator<string> }> {
  let begun = "";
  let line: string | undefined;
  while (line === undefined && begun.length < MAX_LINE_LENGTH) {
    const { value, done } = await texts.next();
    if (done) break;
    begun += value;
    // Two searches, because one pattern for both takes quadratic time on a long line.
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

/** The record of a line, or of an item of a JSON array, that is too long. */
export const TOO_LONG = {
  unreadable: `The record has more than ${MAX_LINE_LENGTH} characters, which is too long for a link.`,
};

/** Cuts a text to one character more than allowed, which still shows that it was too long. */
export const cutTooLong = (text: string): string => text.slice(0, MAX_LINE_LENGTH + 1);

/** How long rows may be read before other work of the process gets a turn, in milliseconds. */
const TURN_MS = 10;

/**
 * Creates a function to be awaited before each row. Now and then it waits until other requests were served: a chunk of a
 * file can hold tens of thousands of rows, and reading them waits for nothing else.
 */
export function turns(): () => Promise<void> | undefined {
  let began = performance.now();
  return () => {
    if (performance.now() - began < TURN_MS) return undefined;
    return nextTurn().then(() => {
      began = performance.now();
    });
  };
}

const isEnded = (line: string): boolean => line.endsWith("\n") || line.endsWith("\r");

/** Splits a text into lines, each with its number and its line end. A line that is too long is cut. */
export async function* linesOf(texts: AsyncIterable<string>): AsyncGenerator<[number: number, line: string]> {
  const turn = turns();
  let number = 0;
  let rest = "";
  for await (const text of texts) {
    // Searching the cut line again for each of its texts would take quadratic time.
    if (rest.length > MAX_LINE_LENGTH && !isEnded(rest) && !/[\r\n]/.test(text)) continue;
    const lines = (rest + text).split(LINE_END);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      number += 1;
      await turn();
      yield [number, line];
    }
    if (!isEnded(rest)) rest = cutTooLong(rest);
  }
  if (rest !== "") yield [number + 1, rest];
}

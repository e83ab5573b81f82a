// What is kept between requests, and never changes, may keep what was made of it: so that it is made once.

/** Of one thing; it is made in few ways, if in more than one. */
const MOST_TEXTS = 4;
/** In characters. */
const LONGEST_TEXT = 600;

const DERIVED = Symbol("derived");

/** Texts that were made of one thing, by what tells the ways of making them apart. */
export class ResponseMemo {
  readonly #texts = new Map<string, string>();

  find(way: string): string | undefined {
    return this.#texts.get(way);
  }

  note(way: string, text: string): void {
    if (way.length + text.length > LONGEST_TEXT) return;
    if (this.#texts.size >= MOST_TEXTS) this.#texts.clear();
    // In one piece, rather than as the pieces that it was put together of.
    this.#texts.set(way, Buffer.from(text, "latin1").toString("latin1"));
  }
}

/** Has a thing keep what is made of it: copies of it, which may come to be something else, do not. */
export const withResponseMemo = <Thing extends object>(thing: Thing): Thing =>
  Object.defineProperty(thing, DERIVED, { value: new ResponseMemo() });

/** Undefined for what keeps nothing. */
export const responseMemoOf = (thing: unknown): ResponseMemo | undefined =>
  (thing as { readonly [DERIVED]?: ResponseMemo })[DERIVED];

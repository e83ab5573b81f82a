/** A source cannot be read, or not to its end. The message is one line without secrets. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

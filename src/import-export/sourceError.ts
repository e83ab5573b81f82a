/** A source that cannot be read, or no further; says in one line why, without any secret. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

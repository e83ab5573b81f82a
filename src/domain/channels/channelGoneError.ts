/** A channel was merged into another one before it was locked, so that the transaction has to begin anew. */
export class ChannelGoneError extends Error {
  override readonly name = "ChannelGoneError";
  /** PostgreSQL's serialization_failure, by which a transaction is repeated. */
  readonly code = "40001";

  constructor() {
    super("The channel was merged into another one.");
  }
}

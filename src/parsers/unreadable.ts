/** A value that a parser does not accept. The message continues the value's name: "must be …". */
export class UnreadableValueError extends Error {
  override readonly name = "UnreadableValueError";

  /** The message as a separate sentence: "Must be …". */
  get sentence(): string {
    return `${this.message.charAt(0).toUpperCase()}${this.message.slice(1)}`;
  }
}

export const refuse = (message: string): never => {
  throw new UnreadableValueError(message);
};

/** A text or value that is not what was asked for. The message goes on from the value's name: "must be …". */
export class UnreadableValueError extends Error {
  override readonly name = "UnreadableValueError";

  /** The message as a sentence of its own: "Must be …". */
  get sentence(): string {
    return `${this.message.charAt(0).toUpperCase()}${this.message.slice(1)}`;
  }
}

export const refuse = (message: string): never => {
  throw new UnreadableValueError(message);
};

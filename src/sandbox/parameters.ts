const INT32_MAX = 2 ** 31 - 1;

/**
 * The parameters of a call, read as the Bot API server reads them. Every value is a text first; a JSON value that is no
 * string is its JSON text, so `null` is "null". A text that is no number counts as 0.
 */
export class Parameters {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  text(name: string): string {
    const value = this.#values[name];
    if (value === undefined) {
      return "";
    }
    return typeof value === "string" ? value : JSON.stringify(value);
  }

  /** Truncated to 32 bits, so that a date after January 2038 becomes another number, and then clamped. */
  integer(name: string, fallback = 0, min = 0, max = INT32_MAX): number {
    const text = this.text(name);
    const value = text === "" ? fallback : Number(BigInt.asIntN(32, leadingInteger(text)));
    return Math.min(Math.max(value, min), max);
  }

  id(name: string): number {
    return Number(leadingInteger(this.text(name)));
  }

  boolean(name: string): boolean {
    return ["true", "yes", "1"].includes(this.text(name).trim().toLowerCase());
  }

  /** @returns undefined for an absent parameter and for any value but a list of strings. */
  list(name: string): string[] | undefined {
    try {
      const value: unknown = JSON.parse(this.text(name));
      return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
    } catch {
      return undefined;
    }
  }
}

function leadingInteger(text: string): bigint {
  return BigInt(/^-?\d+/.exec(text)?.[0] ?? 0);
}

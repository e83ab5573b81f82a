const INT32_MAX = 2 ** 31 - 1;

/**
 * A call's parameters, read as the Bot API server reads them: everything is text first (JSON that is no string stands
 * for itself, so `null` is the text "null"), and what is no number is 0.
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

  /** Clamped, and before that cut to 32 bits: a date after January 2038 becomes another number, often below 0. */
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

  /** Undefined where it is absent or no list of strings. */
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

import { isUnreachable } from "./connection.js";

/** A failure without a typed error: the server could not be reached, or failed. */
export type Failure =
  | { readonly __typename: "Unreachable" }
  | { readonly __typename: "Failure"; readonly message: string };

export function failureOf(error: unknown): Failure {
  if (isUnreachable(error)) return { __typename: "Unreachable" };
  return { __typename: "Failure", message: error instanceof Error ? error.message : String(error) };
}

/** What to say of a failure. @param unreachable the text for a server that cannot be reached */
export function messageOf(error: unknown, unreachable: string): string {
  const failure = failureOf(error);
  return failure.__typename === "Failure" ? failure.message : unreachable;
}

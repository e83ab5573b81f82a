import { useEffect, useMemo, useState } from "react";
import { type Failure, failureOf } from "./failure.js";
import type { ProblemFragment } from "./gql/graphql.js";
import { type FragmentType, graphql, read } from "./gql/index.js";

/** The fields of an error that every mutation requests; __typename tells errors apart. */
export const PROBLEM = graphql(`
  fragment Problem on UserError {
    __typename
    message
    ... on ValidationError {
      fieldErrors {
        field
        message
      }
    }
    ... on RateLimitedError {
      retryAfterSeconds
    }
    ... on TelegramUnavailableError {
      outcomeUnknown
    }
  }
`);

export type ProblemView = ProblemFragment | Failure;

/** Whether Telegram's answer was lost, so that nobody knows whether the action was carried out. */
export const isOutcomeUnknown = (problem: ProblemView): boolean =>
  problem.__typename === "TelegramUnavailableError" && problem.outcomeUnknown;

/** Why something was refused, as one text. */
export const reasonOf = (problem: ProblemView): string =>
  problem.__typename === "ValidationError"
    ? problem.fieldErrors.map(({ message }) => message).join(" ")
    : "message" in problem
      ? problem.message
      : "";

/** The result of a mutation, which is a success or a typed error. @throws Error if the server sent none. */
export function requireResult<Result>(result: Result | null | undefined): Result {
  if (result == null) throw new Error("The server sent no result.");
  return result;
}

export type Attempt = ReturnType<typeof useAttempt>;

/** Runs an action and keeps the problem of its last run; null after a success. */
export function useAttempt() {
  const [problem, setProblem] = useState<ProblemView | null>(null);
  const [isBusy, setIsBusy] = useState(false);

  /** Does nothing while the action runs already. @param run returns null on success. */
  async function attempt(run: () => Promise<FragmentType<typeof PROBLEM> | null>): Promise<void> {
    if (isBusy) return;
    setIsBusy(true);
    setProblem(null);
    try {
      const refused = await run();
      setProblem(refused && read(PROBLEM, refused));
    } catch (error) {
      setProblem(failureOf(error));
    } finally {
      setIsBusy(false);
    }
  }
  return { problem, isBusy, attempt };
}

/** The seconds until an instant, counted down; 0 for none. @param instant what Date takes */
export function useSecondsUntil(instant: string | number | null | undefined): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (instant == null) return setLeft(0);
    const end = new Date(instant).getTime();
    const update = () => setLeft(Math.max(0, Math.ceil((end - Date.now()) / 1000)));
    update();
    const timer = setInterval(update, 250);
    return () => clearInterval(timer);
  }, [instant]);
  return left;
}

/** The seconds left to wait, counted from the moment of the refusal; 0 if there is nothing to wait for. */
export function useCountdown(problem: ProblemView | null): number {
  const end = useMemo(
    () => (problem?.__typename === "RateLimitedError" ? Date.now() + problem.retryAfterSeconds * 1000 : null),
    [problem],
  );
  return useSecondsUntil(end);
}

/** The input field of a path: "tagIds" for "tagIds.1". */
export const fieldOf = (path: string): string => path.split(".", 1)[0] ?? path;

/** All messages about a field as one text; null if there are none. */
export function fieldProblem(problem: ProblemView | null, field: string): string | null {
  if (problem?.__typename !== "ValidationError") return null;
  const messages = problem.fieldErrors.filter((error) => fieldOf(error.field) === field);
  return messages.length === 0 ? null : messages.map(({ message }) => message).join(" ");
}

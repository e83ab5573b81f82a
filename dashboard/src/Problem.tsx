import { useEffect, useState } from "react";
import type { ProblemFragment } from "./gql/graphql.js";
import { type FragmentType, graphql, read } from "./gql/index.js";
import { Icon } from "./Icon.js";

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

/** A failure without a typed error: the server could not be reached, or failed. */
export interface Failure {
  readonly __typename: "Failure";
  readonly message: string;
}
export type ProblemView = ProblemFragment | Failure;

/** Runs an action and keeps the problem of its last run; null after a success. */
export function useAttempt() {
  const [problem, setProblem] = useState<ProblemView | null>(null);
  const [isBusy, setIsBusy] = useState(false);

  /** @param run returns null on success. */
  async function attempt(run: () => Promise<FragmentType<typeof PROBLEM> | null>): Promise<void> {
    setIsBusy(true);
    setProblem(null);
    try {
      const refused = await run();
      setProblem(refused && read(PROBLEM, refused));
    } catch (error) {
      setProblem({ __typename: "Failure", message: error instanceof Error ? error.message : String(error) });
    } finally {
      setIsBusy(false);
    }
  }
  return { problem, isBusy, attempt };
}

/** The seconds left to wait, counted from the moment of the refusal; 0 if there is nothing to wait for. */
export function useCountdown(problem: ProblemView | null): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (problem?.__typename !== "RateLimitedError") return setLeft(0);
    const end = Date.now() + problem.retryAfterSeconds * 1000;
    const update = () => setLeft(Math.max(0, Math.ceil((end - Date.now()) / 1000)));
    update();
    const timer = setInterval(update, 250);
    return () => clearInterval(timer);
  }, [problem]);
  return left;
}

const TITLES: Record<ProblemView["__typename"], string> = {
  ValidationError: "Some values are not accepted",
  ForbiddenError: "This token may not do that",
  NotFoundError: "Not found",
  RateLimitedError: "Telegram asks to wait",
  BotNotInChannelError: "The bot is not in the channel",
  BotPermissionError: "The bot lacks a permission",
  TelegramRejectedError: "Telegram refused",
  TelegramUnavailableError: "Telegram did not answer",
  IdempotencyConflictError: "Conflicting request",
  Failure: "The request failed",
};

/** Shows a problem as a whole. Messages about one field are shown at the field. */
export function Problem(props: {
  readonly problem: ProblemView;
  /** Fields that show their own messages. */
  readonly fields?: readonly string[];
  /** Seconds left to wait; 0 for none. */
  readonly secondsLeft?: number;
  /** Advice if the outcome is unknown. */
  readonly ifUnknown?: string;
}) {
  const { problem, fields = [], secondsLeft = 0, ifUnknown = "Repeat the action to complete it." } = props;
  return (
    <div role="alert" className="problem" data-type={problem.__typename}>
      <Icon name="alert" />
      <div>
        <strong>{TITLES[problem.__typename]}</strong>
        <Explanation problem={problem} fields={fields} secondsLeft={secondsLeft} ifUnknown={ifUnknown} />
      </div>
    </div>
  );
}

function Explanation(props: {
  readonly problem: ProblemView;
  readonly fields: readonly string[];
  readonly secondsLeft: number;
  readonly ifUnknown: string;
}) {
  const { problem, fields, secondsLeft, ifUnknown } = props;
  switch (problem.__typename) {
    case "ValidationError": {
      const others = problem.fieldErrors.filter(({ field }) => !fields.includes(nameOf(field)));
      if (others.length === 0) return <p>See the marked fields.</p>;
      return (
        <ul>
          {others.map(({ field, message }) => (
            <li key={`${field} ${message}`}>{message}</li>
          ))}
        </ul>
      );
    }
    case "RateLimitedError":
      return (
        <p role="timer" aria-live="off">
          {secondsLeft > 0 ? `Nothing was done. Try again in ${secondsLeft} s.` : "You can try again now."}
        </p>
      );
    case "TelegramUnavailableError":
      if (!problem.outcomeUnknown) return <p>{problem.message}</p>;
      return (
        <p>
          The request was sent, but its answer was lost: it may or may not have been carried out. {ifUnknown}
        </p>
      );
    default:
      return <p>{problem.message}</p>;
  }
}

/** The input field of a path: "tagIds" for "tagIds.1". */
const nameOf = (path: string): string => path.split(".", 1)[0] ?? path;

/** All messages about a field as one text; null if there are none. */
export function fieldProblem(problem: ProblemView | null, field: string): string | null {
  if (problem?.__typename !== "ValidationError") return null;
  const messages = problem.fieldErrors.filter((error) => nameOf(error.field) === field);
  return messages.length === 0 ? null : messages.map(({ message }) => message).join(" ");
}

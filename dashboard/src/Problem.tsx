import { useEffect, useState } from "react";
import type { ProblemFragment } from "./gql/graphql.js";
import { type FragmentType, graphql, read } from "./gql/index.js";
import { Icon } from "./Icon.js";

/** What every mutation asks of the errors in its union; told apart by __typename. */
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

/** One that the server did not give as an answer: it could not be reached, or failed. */
export interface Failure {
  readonly __typename: "Failure";
  readonly message: string;
}
export type ProblemView = ProblemFragment | Failure;

/** Tries what a person asked for, and holds the problem that came of it last. */
export function useAttempt() {
  const [problem, setProblem] = useState<ProblemView | null>(null);
  const [isBusy, setIsBusy] = useState(false);

  /** @param run gives null where it was done */
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

/** The seconds that are left of a wait, from the moment it was asked for. */
export function useCountdown(problem: ProblemView | null): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (problem?.__typename !== "RateLimitedError") return setLeft(0);
    const end = Date.now() + problem.retryAfterSeconds * 1000;
    const tell = () => setLeft(Math.max(0, Math.ceil((end - Date.now()) / 1000)));
    tell();
    const timer = setInterval(tell, 250);
    return () => clearInterval(timer);
  }, [problem]);
  return left;
}

const TITLES: Record<ProblemView["__typename"], string> = {
  ValidationError: "Not acceptable as it stands",
  ForbiddenError: "This token may not do that",
  NotFoundError: "It is gone",
  RateLimitedError: "Telegram asks to wait",
  BotNotInChannelError: "The bot is not in the channel",
  BotPermissionError: "The bot lacks a right",
  TelegramRejectedError: "Telegram refused",
  TelegramUnavailableError: "Telegram did not answer",
  IdempotencyConflictError: "Already under way",
  Failure: "That did not work",
};

/** What is said of a problem in whole; what is wrong with a field stands beside the field. */
export function Problem(props: {
  readonly problem: ProblemView;
  /** Fields that say themselves what is wrong with them. */
  readonly fields?: readonly string[];
  /** Of a wait. */
  readonly secondsLeft?: number;
  /** What to do where nobody knows whether it was carried out. */
  readonly ifUnknown?: string;
}) {
  const { problem, fields = [], secondsLeft = 0, ifUnknown = "Do it again: that puts it right." } = props;
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
        <p>The request was sent and its answer lost: perhaps it was carried out, perhaps not. {ifUnknown}</p>
      );
    default:
      return <p>{problem.message}</p>;
  }
}

/** The field of an input that a path leads to: "tagIds" for "tagIds.1". */
const nameOf = (path: string): string => path.split(".", 1)[0] ?? path;

/** What is wrong with a field, in one text; null where nothing is. */
export function fieldProblem(problem: ProblemView | null, field: string): string | null {
  if (problem?.__typename !== "ValidationError") return null;
  const messages = problem.fieldErrors.filter((error) => nameOf(error.field) === field);
  return messages.length === 0 ? null : messages.map(({ message }) => message).join(" ");
}

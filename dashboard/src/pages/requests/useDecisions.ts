import { useApolloClient, useMutation } from "@apollo/client/react";
import { useEffect, useRef, useState } from "react";
import { failureOf } from "../../api/failure.js";
import type { JoinRequestDecision, JoinRequestRowFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { PROBLEM, type ProblemView, requireResult } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { toast } from "../../ui/toast.js";
import { JOIN_REQUEST_ROW } from "./RequestRow.js";
import { reloadCounts } from "./reloadCounts.js";

const DECIDE = graphql(`
  mutation DecideRequests($input: DecideJoinRequestsInput!) {
    decideJoinRequests(input: $input) {
      __typename
      ... on DecideJoinRequestsSuccess {
        results {
          error {
            ...Problem
          }
          joinRequest {
            ...JoinRequestRow
            id
          }
        }
      }
      ...Problem
    }
  }
`);

/** So few requests at a time that the progress is seen. */
const PORTION = 10;
/** The longest wait, in seconds, after which what Telegram had no time for is decided by itself. */
const LONGEST_WAIT = 60;

export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** A request that could not be decided, as it was then. */
export interface Failure {
  readonly request: JoinRequestRowFragment;
  readonly reason: string;
}

export type Decisions = ReturnType<typeof useDecisions>;

/**
 * Decides requests portion by portion, and keeps why some could not be decided.
 * @param onDecided called with the requests that stand as they were decided
 */
export function useDecisions(onDecided: (ids: ReadonlySet<string>) => void) {
  const { t, number } = useI18n();
  const client = useApolloClient();
  const [run] = useMutation(DECIDE);
  const [progress, setProgress] = useState<Progress | null>(null);
  const [failures, setFailures] = useState<ReadonlyMap<string, Failure>>(new Map());
  const [problem, setProblem] = useState<ProblemView | null>(null);
  const isStopped = useRef(false);
  const isRunning = useRef(false);
  const hasDecided = useRef(false);
  useEffect(
    () => () => {
      isStopped.current = true;
    },
    [],
  );

  // biome-ignore lint/correctness/useExhaustiveDependencies: with each step, the button that had the focus may be gone.
  useEffect(() => {
    if (hasDecided.current && document.activeElement === document.body)
      document.getElementById("main")?.focus();
  }, [progress]);

  /** @returns the seconds to wait before the next portion; null if nothing more can be decided */
  async function decidePortion(
    waiting: string[],
    decision: JoinRequestDecision,
    decided: Set<string>,
    failed: Map<string, Failure>,
  ): Promise<number | null> {
    const ids = waiting.splice(0, PORTION);
    const { data } = await run({ variables: { input: { ids, decision } } });
    const result = requireResult(data?.decideJoinRequests);
    if (result.__typename !== "DecideJoinRequestsSuccess") {
      waiting.unshift(...ids);
      setProblem(read(PROBLEM, result));
      return null;
    }
    let wait = 0;
    for (const { error, joinRequest } of result.results) {
      const reason = error && read(PROBLEM, error);
      if (!reason) decided.add(joinRequest.id);
      else if (reason.__typename === "RateLimitedError" && reason.retryAfterSeconds <= LONGEST_WAIT) {
        waiting.push(joinRequest.id);
        wait = Math.max(wait, reason.retryAfterSeconds);
      } else {
        const request = read(JOIN_REQUEST_ROW, joinRequest);
        failed.set(joinRequest.id, { request, reason: reason.message });
      }
    }
    return wait;
  }

  async function decide(ids: readonly string[], decision: JoinRequestDecision): Promise<void> {
    if (isRunning.current || ids.length === 0) return;
    isRunning.current = hasDecided.current = true;
    isStopped.current = false;
    const waiting = [...ids];
    const decided = new Set<string>();
    const failed = new Map<string, Failure>();
    setProblem(null);
    setFailures(failed);
    const show = () => setProgress({ done: decided.size + failed.size, total: ids.length });
    show();
    try {
      while (waiting.length > 0 && !isStopped.current) {
        const wait = await decidePortion(waiting, decision, decided, failed);
        show();
        if (wait === null) break;
        for (let left = wait; left > 0 && !isStopped.current; left -= 1)
          await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    } catch (error) {
      setProblem(failureOf(error));
    }
    isRunning.current = false;
    setProgress(null);
    setFailures(new Map(failed));
    onDecided(decided);
    const count = decided.size;
    const values = { count, shown: number(count) };
    if (count > 0)
      toast({
        message: decision === "APPROVE" ? t("requests.approved", values) : t("requests.declined", values),
      });
    reloadCounts(client);
  }

  return {
    progress,
    failures,
    problem,
    decide,
    /** Forgets what could not be decided. */
    forget() {
      setFailures(new Map());
      setProblem(null);
    },
    stop() {
      isStopped.current = true;
    },
  };
}

import { pause } from "./pause.js";

/** Work that is repeated as long as this server may do it. */
export interface Job {
  /** For the log. */
  readonly name: string;
  readonly everyMs: number;
  /** Whether only one server of an installation may do it at a time. */
  readonly needsLease: boolean;
  run(signal: AbortSignal): Promise<unknown>;
}

/**
 * Runs jobs side by side until the signal is aborted, each one again and again. A failure is reported, and the job is run
 * again at its next time.
 * @param firstMs the pause before the first run, so that the start of the server is not slowed down
 */
export async function runJobs(
  jobs: readonly Job[],
  firstMs: number,
  signal: AbortSignal,
  onError: (job: Job, error: unknown) => void,
): Promise<void> {
  const repeat = async (job: Job): Promise<void> => {
    await pause(Math.min(firstMs, job.everyMs), signal);
    while (!signal.aborted) {
      try {
        await job.run(signal);
      } catch (error) {
        if (!signal.aborted) onError(job, error);
      }
      await pause(job.everyMs, signal);
    }
  };
  await Promise.all(jobs.map(repeat));
}

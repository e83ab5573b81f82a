// Property tests: how long they run, which seed they take and what they report. Every fc.assert() of a test file goes
// through the settings of reportProperties(), which setup.ts calls. propertyReporter.ts prints the records.

import fc, { type RunDetails } from "fast-check";
import { TestRunner } from "vitest";

/** How many runs a property that passed was asked for and had. */
export interface PropertyRecord {
  /** Runs that the test asked for. */
  readonly planned: number;
  /** Runs that began. The others were left out because the property's time was over. */
  readonly begun: number;
  readonly seed: number;
}

declare module "vitest" {
  interface TaskMeta {
    properties?: PropertyRecord[];
  }
}

/** The seed of TEST_SEED, which repeats an earlier run; undefined if none is given. */
export const givenSeed: number | undefined = process.env["TEST_SEED"]
  ? Number(process.env["TEST_SEED"])
  : undefined;

/** How a failed run is repeated, for the message of the failure. */
export const repeatWith = (seed: number): string => `TEST_SEED=${seed} repeats this run.`;

/** Records runs of the current test, for the report at the end. */
export function recordRuns(record: PropertyRecord): void {
  const test = TestRunner.getCurrentTest();
  if (test === undefined) return;
  test.meta.properties = [...(test.meta.properties ?? []), record];
}

/** How long a property may begin runs, in milliseconds. This is enough for all runs on an idle machine. */
const TIME_LIMIT_MS = 15_000;

/** The real clock. Under fake timers performance.now() jumps ahead, and nearly all runs would be left out. */
const realNow = performance.now.bind(performance);

/** The runs that the current property left out. The tests of a file run one after another, so there is only one. */
let leftOut = 0;

/**
 * An asynchronous property that begins no run after TIME_LIMIT_MS. The runs that are left out count as passed, and the
 * report says how many they are. fast-check's interruptAfterTimeLimit does not wait for the current run, which would go on
 * beside the next test.
 */
export const propertyInTime: typeof fc.asyncProperty = (...parts) => {
  const property = fc.asyncProperty(...parts);
  const end = realNow() + TIME_LIMIT_MS;
  const run = property.run.bind(property);
  property.run = async (value) => {
    if (realNow() < end) return run(value);
    leftOut += 1;
    return null;
  };
  return property;
};

/** Called by fast-check after each property, whether it passed or failed. */
function report(details: RunDetails<unknown>): void {
  const { failed, numRuns, seed, errorInstance } = details;
  const begun = numRuns - leftOut;
  leftOut = 0;
  if (failed) {
    throw new Error(`${fc.defaultReportMessage(details)}\n\n${repeatWith(seed)}`, { cause: errorInstance });
  }
  recordRuns({ planned: numRuns, begun, seed });
}

/** Gives every property the seed of TEST_SEED and the report. */
export function reportProperties(): void {
  fc.configureGlobal({ reporter: report, ...(givenSeed !== undefined && { seed: givenSeed }) });
}

import fc from "fast-check";

/** More than all runs take on a machine with little other work, in milliseconds. */
const BEGUN_WITHIN_MS = 15_000;

/** The real clock: with fake timers, performance.now() jumps ahead, and nearly all runs would be left out. */
const realNow = performance.now.bind(performance);

/**
 * An asynchronous property of which no run begins once its time is over; those left out count as passed. The option
 * interruptAfterTimeLimit does not wait for the run at hand, which would go on beside the next test.
 */
export const propertyInTime: typeof fc.asyncProperty = (...parts) => {
  const property = fc.asyncProperty(...parts);
  const end = realNow() + BEGUN_WITHIN_MS;
  const run = property.run.bind(property);
  property.run = async (value) => (realNow() < end ? run(value) : null);
  return property;
};

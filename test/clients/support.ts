import { describe, it } from "vitest";

/** A suite that needs what not every machine has; without it, it is one skipped test that says in a line what is missing. */
export function describeWith(title: string, missing: string | null, suite: () => void): void {
  describe(title, () => {
    if (missing === null) suite();
    else it.skip(`is left out: ${missing}`);
  });
}

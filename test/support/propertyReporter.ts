import type { Reporter, TestCase, TestModule } from "vitest/node";
// Brings the type of the tests' meta data.
import type {} from "./properties.js";

/** Prints one line for each property at the end of a run: how many runs began, the seed and the test. */
export default class PropertyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) => [...module.children.allTests()].flatMap(linesOf));
    if (lines.length === 0) return;
    const tooFew = lines.filter(({ isTooFew }) => isTooFew).length;
    const parts = [
      "\n Properties: runs that began, of those planned",
      ...lines.map(({ text }) => text),
      ...(tooFew > 0 ? [` WARNING: ${tooFew} properties had less than a tenth of their runs.`] : []),
    ];
    process.stdout.write(`${parts.join("\n")}\n`);
  }
}

function linesOf(test: TestCase): { text: string; isTooFew: boolean }[] {
  const { project, module, fullName } = test;
  return (test.meta().properties ?? []).map(({ planned, begun, seed }) => {
    const isTooFew = begun * 10 < planned;
    const runs = `${begun} of ${planned}`.padStart(14);
    const where = `${project.name}  ${module.relativeModuleId} > ${fullName}`;
    return { text: `${runs}${isTooFew ? "  TOO FEW" : ""}  seed ${seed}  ${where}`, isTooFew };
  });
}

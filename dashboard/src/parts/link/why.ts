import { isOutcomeUnknown, type ProblemView, reasonOf } from "../../api/problems.js";
import type { I18n } from "../../i18n/index.js";

/** Why a link was not changed, as one text. */
export const why = (problem: ProblemView, t: I18n["t"]): string =>
  isOutcomeUnknown(problem)
    ? t("problem.outcomeUnknown")
    : problem.__typename === "Unreachable"
      ? t("common.unreachable")
      : reasonOf(problem);

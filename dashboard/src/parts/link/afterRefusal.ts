import type { ApolloClient } from "@apollo/client";
import { type FragmentType, read } from "../../api/gql/index.js";
import { isOutcomeUnknown, PROBLEM } from "../../api/problems.js";
import { refetchShown } from "../../api/refetchShown.js";

/**
 * Loads what a refused action has shown to be different: the bot's rights, or that it is unknown whether a link was
 * created.
 */
export function refetchAfter(client: ApolloClient, refused: FragmentType<typeof PROBLEM>): void {
  const problem = read(PROBLEM, refused);
  const isAboutBot =
    problem.__typename === "BotPermissionError" || problem.__typename === "BotNotInChannelError";
  const include = [
    ...(isAboutBot ? ["Summary"] : []),
    ...(isOutcomeUnknown(problem) ? ["UncertainCreations"] : []),
  ];
  void refetchShown(client, include);
}

import type { ApolloClient } from "@apollo/client";
import { refetchShown } from "../../api/refetchShown.js";

/** Asks again for what a new or decided request moves besides the list: the counts of the links and of the top bar. */
export const reloadCounts = (client: ApolloClient): void =>
  void refetchShown(client, ["WaitingLinks", "PendingRequests"]);

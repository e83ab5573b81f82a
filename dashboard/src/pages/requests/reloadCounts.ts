import type { ApolloClient } from "@apollo/client";
import { reloadList } from "../../parts/reloadList.js";
import { WAITING_LINKS } from "./WaitingLinks.js";

/** Asks again for what a new or decided request moves besides the list: the counts of the links and of the top bar. */
export function reloadCounts(client: ApolloClient, channelId: number): void {
  reloadList(client, WAITING_LINKS, { channelId }, (data) => data.inviteLinks).catch(() => {});
  const queries = [...client.getObservableQueries().values()];
  const include = queries.some(({ queryName }) => queryName === "PendingRequests") ? ["PendingRequests"] : [];
  client.refetchQueries({ include }).catch(() => {});
}

import type { InviteLinkFilter } from "../../api/gql/graphql.js";
import { askRest } from "../../api/rest.js";
import { getToken, refuse } from "../../shell/session.js";
import { saveFile } from "../../ui/saveFile.js";

async function exported(channelId: number, filter: InviteLinkFilter): Promise<string> {
  const query = new URLSearchParams({
    channel_id: String(channelId),
    filter: JSON.stringify(filter),
    stats: "true",
  });
  const response = await askRest(`/export?${query}`, { getToken, onRefused: refuse });
  return response.text();
}

/** Saves links as a CSV file, which /export writes. The filters have no link in common. */
export async function exportLinks(wanted: {
  readonly channelId: number;
  readonly title: string | undefined;
  readonly filters: readonly InviteLinkFilter[];
}): Promise<void> {
  const { channelId, title, filters } = wanted;
  const parts: string[] = [];
  for (const filter of filters) {
    const text = await exported(channelId, filter);
    // All parts have the same header.
    parts.push(parts.length === 0 ? text : text.slice(text.indexOf("\n") + 1));
  }
  // Spreadsheets know UTF-8 by this mark, which reading the answer as a text took away.
  saveFile(`${title ?? channelId} links.csv`, new Blob(["\ufeff", ...parts], { type: "text/csv" }));
}

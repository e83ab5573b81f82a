// A front end's program over the documents that lie beside it, typed by GraphQL Code Generator's client preset.
import { Client, fetchExchange } from "@urql/core";
import { useFragment as read } from "./gql/fragment-masking.js";
import {
  type CreateInviteLinkInput,
  CreateLinkDocument,
  ErrorCode,
  InviteLinkOrderField,
  LinkRowFragmentDoc,
  LinksDocument,
  OrderDirection,
  ThingDocument,
} from "./gql/graphql.js";

export const connect = (url: string, token: string): Client =>
  new Client({
    url,
    preferGetMethod: false,
    exchanges: [fetchExchange],
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
  });

/** The names of the dearest links that were made before an instant, with what they cost. */
export async function dearest(client: Client, channelId: number, createdTo: string): Promise<string[]> {
  const orderBy = [{ field: InviteLinkOrderField.Budget, direction: OrderDirection.Desc }];
  const { data, error } = await client.query(LinksDocument, {
    channelId,
    first: 2,
    filter: { createdTo },
    orderBy,
  });
  if (!data) throw error ?? new Error("There is no answer.");
  const names: string[] = [];
  for (const link of read(LinkRowFragmentDoc, data.inviteLinks.nodes)) {
    const budget: string = link.budget;
    const createdAt: string = link.createdAt;
    names.push(`${link.name ?? "?"}: ${budget}, ${createdAt.slice(0, 2)}`);
  }
  return names;
}

/** Makes a link; its address, or what is wrong. */
export async function create(client: Client, input: CreateInviteLinkInput): Promise<string> {
  const { data, error } = await client.mutation(CreateLinkDocument, { input });
  if (!data) throw error ?? new Error("There is no answer.");
  const result = data.createInviteLink;
  switch (result.__typename) {
    case "CreateInviteLinkSuccess":
      return read(LinkRowFragmentDoc, result.inviteLink).url;
    case "ValidationError":
      return result.fieldErrors
        .map(({ field }) => field)
        .sort()
        .join(", ");
    case "TelegramUnavailableError":
      return result.outcomeUnknown ? "perhaps made" : "not made";
    default:
      return result.code === ErrorCode.Forbidden ? "not allowed" : result.message;
  }
}

/** What kind of thing has an id. */
export async function kind(client: Client, id: string): Promise<string> {
  const { data } = await client.query(ThingDocument, { id });
  const node = data?.node;
  if (!node) return "nothing";
  if (node.__typename === "InviteLink") return `link ${read(LinkRowFragmentDoc, node).name ?? "?"}`;
  return node.__typename === "Tag" ? `tag ${node.color} of ${node.channelId.toFixed()}` : node.__typename;
}

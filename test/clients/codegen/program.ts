// A program of a front end. GraphQL Code Generator's client preset types it from documents.graphql.
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

/** The two links with the largest budgets that were created before an instant, as "name: budget, century". */
export async function dearest(client: Client, channelId: number, createdTo: string): Promise<string[]> {
  const orderBy = [{ field: InviteLinkOrderField.Budget, direction: OrderDirection.Desc }];
  const { data, error } = await client.query(LinksDocument, {
    channelId,
    first: 2,
    filter: { createdTo },
    orderBy,
  });
  if (!data) throw error ?? new Error("The response has no data.");
  const names: string[] = [];
  for (const link of read(LinkRowFragmentDoc, data.inviteLinks.nodes)) {
    const budget: string = link.budget;
    const createdAt: string = link.createdAt;
    names.push(`${link.name ?? "?"}: ${budget}, ${createdAt.slice(0, 2)}`);
  }
  return names;
}

/** Creates a link. @returns its address, or a text about the error. */
export async function create(client: Client, input: CreateInviteLinkInput): Promise<string> {
  const { data, error } = await client.mutation(CreateLinkDocument, { input });
  if (!data) throw error ?? new Error("The response has no data.");
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

/** The type of the node that has an id, with one of its fields. */
export async function kind(client: Client, id: string): Promise<string> {
  const { data } = await client.query(ThingDocument, { id });
  const node = data?.node;
  if (!node) return "nothing";
  if (node.__typename === "InviteLink") return `link ${read(LinkRowFragmentDoc, node).name ?? "?"}`;
  return node.__typename === "Tag" ? `tag ${node.color} of ${node.channelId.toFixed()}` : node.__typename;
}

// Uses that the generated types must reject. The file is compiled, never run.
import type { Client } from "@urql/core";
import { useFragment as read } from "./gql/fragment-masking.js";
import { CreateLinkDocument, LinkRowFragmentDoc, LinksDocument } from "./gql/graphql.js";

export async function mistakes(client: Client): Promise<unknown[]> {
  // @ts-expect-error A chat id is a number.
  await client.query(LinksDocument, { channelId: "-1001234567890" });
  // @ts-expect-error A list needs a chat id.
  await client.query(LinksDocument, {});
  // @ts-expect-error The filter has no such field.
  await client.query(LinksDocument, { channelId: 1, filter: { title: "x" } });
  // @ts-expect-error There is no such direction.
  await client.query(LinksDocument, { channelId: 1, orderBy: [{ field: "NAME", direction: "UP" }] });
  // @ts-expect-error A link needs a name.
  await client.mutation(CreateLinkDocument, { input: { channelId: 1 } });

  const { data } = await client.query(LinksDocument, { channelId: 1 });
  const [node] = data?.inviteLinks.nodes ?? [];
  if (!node) return [];
  // @ts-expect-error The fields of a fragment are masked.
  const name: unknown = node.name;
  const link = read(LinkRowFragmentDoc, node);
  // @ts-expect-error A budget is a decimal string.
  const half: number = link.budget / 2;
  // @ts-expect-error An instant is a string.
  const year: number = link.createdAt.getFullYear();
  // @ts-expect-error A link's name may be null.
  const length: number = link.name.length;
  // @ts-expect-error The fragment does not select this field.
  const isRevoked: boolean = link.isRevoked;

  const { data: made } = await client.mutation(CreateLinkDocument, { input: { channelId: 1, name: "x" } });
  const result = made?.createInviteLink;
  // @ts-expect-error The result may be an error.
  const inviteLink: unknown = result?.inviteLink;
  // @ts-expect-error The result has no such type.
  const isMissing = result?.__typename === "NotFoundError";
  // @ts-expect-error There is no such code.
  const isOdd = result?.__typename === "ForbiddenError" && result.code === "ODD";
  return [name, half, year, length, isRevoked, inviteLink, isMissing, isOdd];
}

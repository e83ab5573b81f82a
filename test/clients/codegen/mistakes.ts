// What the types have to refuse; nobody runs it.
import type { Client } from "@urql/core";
import { useFragment as read } from "./gql/fragment-masking.js";
import { CreateLinkDocument, LinkRowFragmentDoc, LinksDocument } from "./gql/graphql.js";

export async function mistakes(client: Client): Promise<unknown[]> {
  // @ts-expect-error A chat's id is a number.
  await client.query(LinksDocument, { channelId: "-1001234567890" });
  // @ts-expect-error A list is a channel's.
  await client.query(LinksDocument, {});
  // @ts-expect-error There is no such field of the filter.
  await client.query(LinksDocument, { channelId: 1, filter: { title: "x" } });
  // @ts-expect-error There is no such direction.
  await client.query(LinksDocument, { channelId: 1, orderBy: [{ field: "NAME", direction: "UP" }] });
  // @ts-expect-error A link has a name.
  await client.mutation(CreateLinkDocument, { input: { channelId: 1 } });

  const { data } = await client.query(LinksDocument, { channelId: 1 });
  const [node] = data?.inviteLinks.nodes ?? [];
  if (!node) return [];
  // @ts-expect-error What a fragment asks is read through it.
  const name: unknown = node.name;
  const link = read(LinkRowFragmentDoc, node);
  // @ts-expect-error Money is exact, so not a number.
  const half: number = link.budget / 2;
  // @ts-expect-error An instant is a text.
  const year: number = link.createdAt.getFullYear();
  // @ts-expect-error A link may be without a name.
  const length: number = link.name.length;
  // @ts-expect-error This was not asked for.
  const isRevoked: boolean = link.isRevoked;

  const { data: made } = await client.mutation(CreateLinkDocument, { input: { channelId: 1, name: "x" } });
  const result = made?.createInviteLink;
  // @ts-expect-error It may have gone wrong.
  const inviteLink: unknown = result?.inviteLink;
  // @ts-expect-error No result has this name.
  const isMissing = result?.__typename === "NotFoundError";
  // @ts-expect-error There is no such code.
  const isOdd = result?.__typename === "ForbiddenError" && result.code === "ODD";
  return [name, half, year, length, isRevoked, inviteLink, isMissing, isOdd];
}

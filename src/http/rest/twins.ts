import { MAX_PAGE_SIZE } from "../../domain/paging/arguments.js";
import { Documents } from "../../graphql/pipeline/documents.js";
import { LIMITS } from "../../graphql/pipeline/limits.js";
import { schema } from "../../graphql/schema.js";

// The GraphQL operations that do the same as the calls of REST. Against RATE_LIMIT a call costs what its twin costs.

const LINK = `fragment link on InviteLink {
  id name channelId url createsJoinRequest expireDate memberLimit createdAt updatedAt isBotCreated creatorId budget
  tags { id name color type { id name } }
  stats @include(if: $stats) {
    joinCount leaveCount removedCount activeCount uniqueJoinCount joinRequestCount costPerJoin costPerActiveMember
    firstJoinAt lastJoinAt
  }
}`;
// The former API shows the newest 1,000 links of a tag. Most tags have fewer, so one page of them is counted.
const TAG = `fragment tag on Tag {
  id name color type { id name } createdAt updatedAt channelId
  inviteLinks(first: ${MAX_PAGE_SIZE}) { nodes { id name url createdAt budget creatorId isBotCreated } }
}`;

export const TWINS = {
  getInviteLink: `query ($id: ID!, $channelId: TelegramID!, $stats: Boolean!) {
    inviteLink(id: $id, channelId: $channelId) { ...link }
  }
  ${LINK}`,
  listInviteLinks: `query ($channelId: TelegramID!, $filter: InviteLinkFilter, $stats: Boolean!, $first: Int) {
    inviteLinks(channelId: $channelId, filter: $filter, first: $first) { totalCount nodes { ...link } }
  }
  ${LINK}`,
  createInviteLink: `mutation ($input: CreateInviteLinkInput!, $stats: Boolean! = false) {
    createInviteLink(input: $input) { ... on CreateInviteLinkSuccess { inviteLink { ...link } } }
  }
  ${LINK}`,
  listTags: `query ($channelId: TelegramID!, $name: String, $typeId: ID, $first: Int) {
    tags(channelId: $channelId, name: $name, typeId: $typeId, first: $first) { totalCount nodes { ...tag } }
  }
  ${TAG}`,
  createTag: `mutation ($input: CreateTagInput!) {
    createTag(input: $input) {
      ... on CreateTagSuccess { tag { id name color type { id name } createdAt updatedAt channelId } }
    }
  }`,
  listTagTypes: "{ tagTypes { id name } }",
  getTag: `query ($id: ID!) { tag(id: $id) { ...tag } }
  ${TAG}`,
  updateTag: `mutation ($input: UpdateTagInput!) {
    updateTag(input: $input) { ... on UpdateTagSuccess { tag { ...tag } } }
  }
  ${TAG}`,
} as const;

/** The twin of a call. A list has the size of its page, negative for all items. */
export interface Twin {
  readonly document: string;
  readonly variables: Record<string, unknown>;
  readonly size?: number;
}

/**
 * Stands for the twin of a call for any number of links. Its cost is fixed: a large channel could never be exported if the
 * call cost as much as all of its pages, because a call cannot be divided over several minutes.
 */
export const EVERYTHING = "everything";

const documents = new Documents(schema);

const costOfOperation = ({ document, variables }: Twin, first?: number): number =>
  documents.operation(document, null).costOf({ ...variables, first }).complexity;

/**
 * What a call costs. A list costs as much as the pages that it takes in GraphQL, but at most as much as the costliest
 * operation, or as the whole limit.
 */
export function costOfCall(twin: Twin | typeof EVERYTHING, limit: number): number {
  const most = Math.min(LIMITS.cost, limit);
  if (twin === EVERYTHING) return most;
  const { size } = twin;
  if (size === undefined) return costOfOperation(twin);
  if (size < 0) return most;
  const rest = size % MAX_PAGE_SIZE;
  const pages = (size - rest) / MAX_PAGE_SIZE;
  const ofPages = pages === 0 ? 0 : pages * costOfOperation(twin, MAX_PAGE_SIZE);
  return Math.min(most, ofPages + (rest === 0 ? 0 : costOfOperation(twin, rest)));
}

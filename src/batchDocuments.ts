const PAGE_SIZE = 100;

const BATCH = "id state totalCount madeCount failedCount uncertainCount finishedAt waitingUntil";

/** The documents that the command `create` sends to a server. */
export const BATCH_DOCUMENTS = {
  tags: `query ($channelId: TelegramID!, $after: String) {
  tags(channelId: $channelId, first: ${PAGE_SIZE}, after: $after) {
    nodes { id name type { name } } pageInfo { endCursor hasNextPage }
  }
}`,
  create: `mutation ($input: CreateInviteLinksInput!) {
  createInviteLinks(input: $input) {
    ... on CreateInviteLinksSuccess { batch { ${BATCH} } }
    ... on UserError { message }
    ... on ValidationError { fieldErrors { field message } }
  }
}`,
  look: `query ($id: ID!) { node(id: $id) { ... on InviteLinkBatch { ${BATCH} } } }`,
  items: `query ($id: ID!, $after: String) {
  node(id: $id) {
    ... on InviteLinkBatch {
      items(first: ${PAGE_SIZE}, after: $after) {
        nodes { index name externalId state inviteLink { url } error { code message } } pageInfo { endCursor hasNextPage }
      }
    }
  }
}`,
} as const;

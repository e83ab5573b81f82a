const viewerQuery = `# Who am I, and which channels may I use?
query Viewer {
  viewer {
    name
    role
    channelIds
  }
  channels {
    nodes {
      telegramId
      title
      currency
      botStatus
    }
  }
  tagTypes {
    id
    name
  }
}
`;

const listQuery = (chatId: number) => `# The newest links of a channel, with their tags.
query Links {
  inviteLinks(channelId: ${chatId}, first: 10) {
    totalCount
    pageInfo {
      hasNextPage
      endCursor
    }
    nodes {
      id
      name
      url
      budget
      createdAt
      tags {
        name
        type {
          name
        }
      }
    }
  }
}
`;

const filterQuery = ({
  chatId,
  first,
  second,
}: ExampleChannel) => `# Links by tag groups: one of these tags of the first type,
# AND one of these tags, or no tag, of the second type.
query ByTags {
  inviteLinks(
    channelId: ${chatId}
    filter: {
      tagGroups: [
        {
          tagTypeId: "${first.typeId}"
          tagIds: ${JSON.stringify(first.tagIds)}
        }
        {
          tagTypeId: "${second.typeId}"
          tagIds: ${JSON.stringify(second.tagIds)}
          withoutType: true
        }
      ]
    }
    orderBy: [{ field: BUDGET, direction: DESC }, { field: NAME }]
  ) {
    totalCount
    totals {
      budget
    }
    # For each tag: how many links the filter would leave with this tag chosen in its type.
    facets {
      type {
        name
      }
      withoutTypeCount
      tags {
        count
        tag {
          name
        }
      }
    }
    nodes {
      name
      budget
      tags {
        name
        type {
          name
        }
      }
    }
  }
}
`;

const membersQuery = (chatId: number) => `# Which link brought whom, what a member cost, and who stayed.
query Members {
  inviteLinks(channelId: ${chatId}, first: 10, orderBy: [{ field: JOIN_COUNT, direction: DESC }]) {
    totals {
      joinCount
      activeCount
      costPerJoin
      retention {
        days
        rate
      }
    }
    nodes {
      name
      budget
      stats {
        joinCount
        activeCount
        costPerJoin
        costPerActiveMember
        lastJoinAt
      }
      members(first: 3) {
        nodes {
          userId
          joinedAt
          leftAt
        }
      }
    }
  }
}
`;

const joinRequestsQuery = (chatId: number) => `# Who asks to join, the latest first.
query JoinRequests {
  joinRequests(channelId: ${chatId}, first: 10, filter: { states: [PENDING] }) {
    totalCount
    nodes {
      id
      userId
      bio
      requestedAt
      inviteLink {
        name
        joinRequestPolicy {
          decider
          approveAfterSeconds
        }
      }
    }
  }
}
`;

const decideMutation = `# Approves or declines up to 100 requests to join at once.
# Put the ids of pending requests into it.
mutation Decide {
  decideJoinRequests(input: { ids: [], decision: APPROVE }) {
    __typename
    ... on DecideJoinRequestsSuccess {
      results {
        joinRequest {
          id
          state
        }
        error {
          code
          message
        }
      }
    }
    ... on UserError {
      code
      message
    }
  }
}
`;

const liveSubscription = (
  chatId: number,
) => `# Everything that happens to the channel's members, as it is stored.
# In the sandbox somebody comes or leaves a few times a minute.
subscription Live {
  memberEvents(channelId: ${chatId}) {
    kind
    userId
    occurredAt
    inviteLink {
      name
      stats {
        joinCount
        activeCount
      }
    }
  }
}
`;

const createMutation = ({ chatId, first }: ExampleChannel) => `# Creates a link in Telegram by the helper bot.
# Each error is a type of the result. With the key, a second run gives the same link instead of another one.
mutation Create {
  createInviteLink(
    input: {
      idempotencyKey: "my first link"
      channelId: ${chatId}
      name: "My first link"
      budget: "150.00"
      tagIds: ${JSON.stringify(first.tagIds.slice(0, 1))}
    }
  ) {
    __typename
    ... on CreateInviteLinkSuccess {
      inviteLink {
        id
        name
        url
        budget
        tags {
          name
        }
      }
    }
    ... on UserError {
      code
      message
    }
    ... on ValidationError {
      fieldErrors {
        field
        message
      }
    }
  }
}
`;

const createManyMutation = ({
  chatId,
}: ExampleChannel) => `# Creates many links, one after another in the background.
# Watch them with the subscription inviteLinkBatchUpdated or the next tab.
mutation CreateMany {
  createInviteLinks(
    input: {
      channelId: ${chatId}
      links: [{ name: "Ad 1", budget: "10.00" }, { name: "Ad 2", budget: "20.00" }, { name: "Ad 3" }]
    }
  ) {
    __typename
    ... on CreateInviteLinksSuccess {
      batch {
        id
        state
        totalCount
      }
    }
    ... on UserError {
      code
      message
    }
    ... on ValidationError {
      fieldErrors {
        field
        message
      }
    }
  }
}
`;

const batchesQuery = (chatId: number) => `# The latest batch of links, and what became of each.
query Batches {
  inviteLinkBatches(channelId: ${chatId}, first: 1) {
    nodes {
      id
      state
      totalCount
      madeCount
      failedCount
      uncertainCount
      waitingUntil
      items(first: 10) {
        nodes {
          index
          name
          state
          inviteLink {
            url
          }
          error {
            message
          }
        }
      }
    }
  }
}
`;

/** @param chat an @username or a chat id */
const connectMutation = (
  chat: string,
) => `# Connects a channel in which the helper bot is an administrator that may invite users.
mutation Connect {
  connectChannel(input: { chat: "${chat}" }) {
    __typename
    ... on ConnectChannelSuccess {
      channel {
        telegramId
        title
        botStatus
      }
    }
    ... on UserError {
      code
      message
    }
  }
}
`;

const tagMutation = ({ chatId, first }: ExampleChannel) => `# Creates a tag of the channel.
# The query Viewer lists the types of tags; createTagType creates one.
mutation CreateTag {
  createTag(
    input: {
      channelId: ${chatId}
      tagTypeId: "${first.typeId}"
      name: "My tag"
      color: "#2563EB"
    }
  ) {
    __typename
    ... on CreateTagSuccess {
      tag {
        id
        name
        color
        type {
          name
        }
      }
    }
    ... on UserError {
      code
      message
    }
    ... on ValidationError {
      fieldErrors {
        field
        message
      }
    }
  }
}
`;

const tokenMutation = (chatId: number) => `# Creates an API token that may only read one channel.
# The secret is shown only once: send it as "Authorization: Bearer <secret>".
mutation CreateToken {
  createApiToken(input: { name: "Reports", role: VIEWER, channelIds: [${chatId}] }) {
    __typename
    ... on CreateApiTokenSuccess {
      secret
      apiToken {
        id
        name
        role
        channelIds
      }
    }
    ... on UserError {
      code
      message
    }
  }
}
`;

const webhookMutation = (
  chatId: number,
) => `# Tell another system of everybody who joins or leaves; see docs/webhooks.md.
# Put in your receiver's address. The secret is shown only once.
mutation CreateWebhook {
  createWebhook(
    input: {
      url: "https://receiver.example/hook"
      eventTypes: [MEMBER_JOINED, MEMBER_LEFT]
      channelIds: [${chatId}]
    }
  ) {
    ... on CreateWebhookSuccess {
      secret
      webhook {
        id
        isEnabled
        deliveries(first: 10) {
          nodes {
            eventType
            state
            error
          }
        }
      }
    }
    ... on UserError {
      code
      message
    }
  }
}
`;

/** A channel with tags of two types, for the example queries. */
export interface ExampleChannel {
  readonly chatId: number;
  readonly first: { readonly typeId: string; readonly tagIds: readonly string[] };
  readonly second: { readonly typeId: string; readonly tagIds: readonly string[] };
}

const auditQuery = (chatId: number) => `# Who changed what in a channel, the latest first.
query Changes {
  auditEntries(filter: { channelId: ${chatId} }, first: 10) {
    totalCount
    nodes {
      at
      callerName
      action
      subjectId
      change
    }
  }
}
`;

/** The queries of GraphiQL's tabs. Null: there is no channel yet, so the examples begin with connecting one. */
export function exampleQueries(example: ExampleChannel | null): string[] {
  if (example === null) return [viewerQuery, connectMutation("@your_channel")];
  return [
    listQuery(example.chatId),
    membersQuery(example.chatId),
    liveSubscription(example.chatId),
    joinRequestsQuery(example.chatId),
    decideMutation,
    filterQuery(example),
    createMutation(example),
    createManyMutation(example),
    batchesQuery(example.chatId),
    webhookMutation(example.chatId),
    connectMutation(String(example.chatId)),
    tagMutation(example),
    tokenMutation(example.chatId),
    auditQuery(example.chatId),
    viewerQuery,
  ];
}

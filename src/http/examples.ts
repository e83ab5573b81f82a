import type { ExampleQuery } from "./graphiql.js";

const who = `# Who am I, and which channels may I use?
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

const list = `# The newest links of a channel, with their tags.
query Links($channelId: TelegramID!, $after: String) {
  inviteLinks(channelId: $channelId, first: 10, after: $after) {
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
      expireDate
      tags {
        name
        color
        type {
          name
        }
      }
    }
  }
}
`;

const filter = `# Links by tag groups: one of these platforms, AND no buyer yet or this one.
query ByTags($channelId: TelegramID!, $filter: InviteLinkFilter!) {
  inviteLinks(
    channelId: $channelId
    filter: $filter
    orderBy: [{ field: BUDGET, direction: DESC }, { field: NAME }]
  ) {
    totalCount
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

const create = `# A new link, made in Telegram by the helper bot. Errors are types of the result.
mutation Create($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) {
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

const connect = `# Connect a channel in which the helper bot is an administrator that may invite users.
mutation Connect {
  connectChannel(input: { chat: "@your_channel" }) {
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

/** A channel with tags of two types, to show the queries on. */
export interface ExampleChannel {
  readonly channelId: number;
  readonly first: { readonly typeId: string; readonly tagIds: readonly string[] };
  readonly second: { readonly typeId: string; readonly tagIds: readonly string[] };
}

/** GraphiQL's tabs; where there is a channel to show them on, they work as they stand. */
export function exampleQueries(example: ExampleChannel | null): ExampleQuery[] {
  if (example === null) return [{ query: who }, { query: connect }];
  const { channelId, first, second } = example;
  return [
    { query: list, variables: { channelId } },
    {
      query: filter,
      variables: {
        channelId,
        filter: {
          tagGroups: [
            { tagTypeId: first.typeId, tagIds: first.tagIds },
            { tagTypeId: second.typeId, tagIds: second.tagIds, withoutType: true },
          ],
        },
      },
    },
    {
      query: create,
      variables: { input: { channelId, name: "My first link", budget: "150.00", tagIds: first.tagIds.slice(0, 1) } },
    },
    { query: who },
  ];
}

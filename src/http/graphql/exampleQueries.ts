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

const list = (channelId: number) => `# The newest links of a channel, with their tags.
query Links {
  inviteLinks(channelId: ${channelId}, first: 10) {
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

const filter = ({
  channelId,
  first,
  second,
}: ExampleChannel) => `# Links by tag groups: with one of these tags of one type,
# AND of another type with one of these, or with none.
query ByTags {
  inviteLinks(
    channelId: ${channelId}
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
    # What choosing another tag of a type would give.
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

const create = ({ channelId, first }: ExampleChannel) => `# A new link, made in Telegram by the helper bot.
# What can go wrong is a type of the result.
mutation Create {
  createInviteLink(
    input: {
      channelId: ${channelId}
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
export function exampleQueries(example: ExampleChannel | null): string[] {
  return example === null ? [who, connect] : [list(example.channelId), filter(example), create(example), who];
}

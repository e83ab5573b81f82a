// The schema of Mercurius and Apollo Server: the measured part of this server's schema, with the same names.
export const typeDefs = `
  scalar TelegramID
  scalar DateTime
  scalar Decimal

  input TagGroupFilter { tagTypeId: ID!, tagIds: [ID!]! }
  input InviteLinkFilter { tagGroups: [TagGroupFilter!] }

  type TagType { id: ID!, name: String! }
  type Tag { id: ID!, name: String!, color: String!, type: TagType }
  type InviteLink {
    id: ID!
    name: String
    channelId: TelegramID!
    url: String!
    createsJoinRequest: Boolean!
    expireDate: DateTime
    memberLimit: Int
    createdAt: DateTime!
    isBotCreated: Boolean!
    creatorId: TelegramID!
    budget: Decimal
    tags: [Tag!]!
  }
  type PageInfo { hasNextPage: Boolean!, endCursor: String }
  type InviteLinkEdge { node: InviteLink! }
  type InviteLinkTotals { budget: Decimal! }
  type TagFacet { count: Int!, tag: Tag! }
  type TagTypeFacet { type: TagType!, withoutTypeCount: Int!, tags: [TagFacet!]! }
  type InviteLinkConnection {
    edges: [InviteLinkEdge!]!
    pageInfo: PageInfo!
    totalCount: Int!
    totals: InviteLinkTotals!
    facets: [TagTypeFacet!]!
  }
  type Query {
    inviteLink(id: ID!, channelId: TelegramID): InviteLink
    inviteLinks(
      channelId: TelegramID!, first: Int, after: String, page: Int, filter: InviteLinkFilter
    ): InviteLinkConnection!
  }
`;

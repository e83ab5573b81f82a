// The documents of a front end with Relay, read by Relay's compiler only. Relay requires that their names begin with the
// name of the file.
import { graphql } from "relay-runtime";

graphql`
  fragment documentsLink on InviteLink {
    name
    url
    budget
    tags {
      id
      name
    }
  }
`;

graphql`
  query documentsLinksQuery($channelId: TelegramID!, $filter: InviteLinkFilter, $orderBy: [InviteLinkOrder!]) {
    ...documentsLinks @arguments(channelId: $channelId, filter: $filter, orderBy: $orderBy)
  }
`;

graphql`
  fragment documentsLinks on Query
  @refetchable(queryName: "documentsLinksPageQuery")
  @argumentDefinitions(
    channelId: { type: "TelegramID!" }
    filter: { type: "InviteLinkFilter" }
    orderBy: { type: "[InviteLinkOrder!]" }
    count: { type: "Int", defaultValue: 7 }
    cursor: { type: "String" }
  ) {
    inviteLinks(channelId: $channelId, filter: $filter, orderBy: $orderBy, first: $count, after: $cursor)
      @connection(key: "documentsLinks_inviteLinks", filters: ["channelId", "filter", "orderBy"]) {
      __id
      totalCount
      edges {
        node {
          id
          ...documentsLink
        }
      }
    }
  }
`;

graphql`
  query documentsTagQuery($id: ID!) {
    tag(id: $id) {
      ...documentsTag
    }
  }
`;

graphql`
  fragment documentsTag on Tag
  @refetchable(queryName: "documentsTagPageQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" }) {
    name
    inviteLinks(first: $count, after: $cursor) @connection(key: "documentsTag_inviteLinks") {
      edges {
        node {
          id
          ...documentsLink
        }
      }
    }
  }
`;

graphql`
  mutation documentsCreateMutation($input: CreateInviteLinkInput!, $connections: [ID!]!) {
    createInviteLink(input: $input) {
      __typename
      ... on CreateInviteLinkSuccess {
        inviteLink @prependNode(connections: $connections, edgeTypeName: "InviteLinkEdge") {
          id
          ...documentsLink
        }
      }
      ... on ValidationError {
        fieldErrors {
          field
          message
        }
      }
      ... on UserError {
        code
        message
      }
    }
  }
`;

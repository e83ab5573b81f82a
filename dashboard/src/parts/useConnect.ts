import { useMutation } from "@apollo/client/react";
import type { ConnectChannelMutation } from "../api/gql/graphql.js";
import { graphql } from "../api/gql/index.js";
import { requireResult, useAttempt } from "../api/problems.js";

/** Reads a channel and the bot's rights in it from Telegram. Repeating it reads them anew. */
const CONNECT = graphql(`
  mutation ConnectChannel($input: ConnectChannelInput!) {
    connectChannel(input: $input) {
      __typename
      ... on ConnectChannelSuccess {
        channel {
          id
          telegramId
          title
          username
          botStatus
          currency
        }
      }
      ...Problem
    }
  }
`);

export type ConnectedChannel = Extract<
  ConnectChannelMutation["connectChannel"],
  { __typename: "ConnectChannelSuccess" }
>["channel"];

/** Connects a channel, or checks the bot's rights again. */
export function useConnect(onConnected: (channel: ConnectedChannel) => void = () => {}) {
  const [connect] = useMutation(CONNECT, { refetchQueries: ["Shell"], awaitRefetchQueries: true });
  const { problem, isBusy, attempt } = useAttempt();
  /** @param chat an id or an @username */
  const run = (chat: string) =>
    attempt(async () => {
      const { data } = await connect({ variables: { input: { chat } } });
      const result = requireResult(data?.connectChannel);
      if (result.__typename !== "ConnectChannelSuccess") return result;
      onConnected(result.channel);
      return null;
    });
  return { problem, isBusy, connect: run };
}

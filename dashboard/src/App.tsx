import type { ApolloClient } from "@apollo/client";
import { ApolloProvider } from "@apollo/client/react";
import { useMemo } from "react";
import { createClient } from "./client.js";
import { SignIn } from "./SignIn.js";
import { useSession } from "./session.js";
import { Workspace } from "./Workspace.js";

export function App() {
  const { session, enter, leave } = useSession();
  const { token } = session;
  // Each token has its own client and cache, since another token may not see the cached data.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `leave` behaves the same in every render.
  const client: ApolloClient | null = useMemo(
    () => (token === null ? null : createClient(token, () => leave(true))),
    [token],
  );
  if (client === null) return <SignIn isRefused={session.isRefused} onEnter={enter} />;
  return (
    <ApolloProvider client={client}>
      <Workspace onLeave={() => leave(false)} />
    </ApolloProvider>
  );
}

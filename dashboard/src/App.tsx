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
  // A client, and with it a cache, for each token: what one may see the next may not.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `leave` does the same whenever it is called.
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

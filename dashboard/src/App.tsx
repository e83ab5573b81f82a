import { ApolloProvider } from "@apollo/client/react";
import { Suspense, useEffect, useMemo } from "react";
import { createApi } from "./api/client.js";
import { ErrorBoundary } from "./shell/ErrorBoundary.js";
import { Shell } from "./shell/Shell.js";
import { accept, getToken, refuse, useSession } from "./shell/session.js";
import { lazyPart } from "./ui/lazyPart.js";

const SignIn = lazyPart(() => import("./pages/signIn/SignIn.js"));

export function App() {
  const { token, isRefused, isAsking } = useSession();
  if (isAsking) return null;
  if (token !== null) return <SignedIn />;
  return (
    <ErrorBoundary>
      <Suspense>
        <SignIn isRefused={isRefused} />
      </Suspense>
    </ErrorBoundary>
  );
}

/** Its client and cache last until the user signs out; signing in again with another token replaces only the token. */
function SignedIn() {
  const { client, connection } = useMemo(
    () => createApi({ getToken, onAccepted: accept, onRefused: refuse }),
    [],
  );
  useEffect(() => () => connection.close(), [connection]);
  return (
    <ApolloProvider client={client}>
      <Shell connection={connection} />
    </ApolloProvider>
  );
}

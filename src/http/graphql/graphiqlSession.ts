/**
 * What the page of GraphiQL does before GraphiQL is shown: it finds the API token of the dashboard's session, in this
 * tab's sessionStorage or by asking the other tabs, and asks the user for one if there is none. So GraphiQL never opens
 * on the error of a missing token. The key and the messages are those of dashboard/src/shell/session.ts.
 */

/** The elements above GraphiQL. @param hasDashboard whether `/` is the dashboard, to which a link leads */
export const sessionElements = (hasDashboard: boolean): string => `
<nav id="way-back" aria-label="invite-links">
  ${hasDashboard ? '<a href="/">← Dashboard</a>' : ""}
  <span>The GraphQL API of invite-links</span>
</nav>
<main id="sign-in" hidden>
<form>
  <h1>GraphiQL</h1>
  <p>GraphiQL sends its requests with an API token.${
    hasDashboard ? " It uses the one of the dashboard where you are signed in there." : ""
  }</p>
  <label for="token">API token</label>
  <input id="token" type="password" autocomplete="off" spellcheck="false" required aria-describedby="refusal">
  <p id="refusal" role="alert"></p>
  <button>Open GraphiQL</button>
</form>
</main>`;

export const SESSION_STYLE = `
body { display: flex; flex-direction: column; height: 100vh; }
#root { flex: 1; min-height: 0; }
#root .graphiql-container { height: 100%; }
#way-back { display: flex; gap: 16px; padding: 6px 16px; font: 14px/20px system-ui, sans-serif; color: #59636e; }
#way-back a { color: #0550ae; }
#sign-in { margin: 12vh auto 0; width: min(360px, calc(100% - 32px)); font: 16px/24px system-ui, sans-serif; color: #1f2328; }
#sign-in h1 { font-size: 24px; margin: 0 0 8px; }
#sign-in label { display: block; font-weight: 600; margin-top: 16px; }
#sign-in input { box-sizing: border-box; width: 100%; padding: 8px; font: inherit; border: 1px solid #818b98; border-radius: 6px; color: inherit; background: transparent; }
#sign-in button { padding: 8px 16px; font: inherit; border: 0; border-radius: 6px; background: #0550ae; color: #fff; cursor: pointer; }
#refusal { color: #b3261e; min-height: 24px; margin: 4px 0 8px; }
.graphiql-logo { white-space: nowrap; }
@media (prefers-color-scheme: dark) {
  body { background: #1f242d; }
  #way-back { color: #a9b4c2; }
  #way-back a { color: #79b8ff; }
  #sign-in { color: #e6edf3; }
  #sign-in button { background: #1f6feb; }
  #refusal { color: #ff8f87; }
}`;

/**
 * JavaScript that defines `withSession(sandboxToken, render)`, which calls `render(token)` once, as soon as the server
 * accepts a token.
 */
export const SESSION_SCRIPT = `
const KEY = "invite-links-token";
/** How long the other tabs have to answer, in milliseconds. */
const ASK_MS = 100;

async function isAccepted(token) {
  const { status } = await fetch("/graphql", {
    method: "POST",
    headers: { authorization: "Bearer " + token, "content-type": "application/json" },
    body: JSON.stringify({ query: "{ __typename }" }),
  });
  return status !== 401;
}

function withSession(sandboxToken, render) {
  const kept = sessionStorage.getItem(KEY) ?? sandboxToken;
  const signIn = document.getElementById("sign-in");
  const input = document.getElementById("token");
  const refusal = document.getElementById("refusal");
  const tabs = new BroadcastChannel(KEY);
  let isOpen = false;
  /** The last token that was tried, so that an earlier answer about another token changes nothing. */
  let tried = null;

  const ask = (message) => {
    if (isOpen) return;
    refusal.textContent = message;
    signIn.hidden = false;
    input.focus();
  };
  const enter = async (token) => {
    tried = token;
    const accepted = await isAccepted(token).catch(() => null);
    if (isOpen || tried !== token) return;
    if (accepted === null) return ask("The server cannot be reached.");
    if (!accepted) return ask("The server does not accept this token.");
    isOpen = true;
    if (token !== sandboxToken) sessionStorage.setItem(KEY, token);
    signIn.remove();
    tabs.close();
    render(token);
  };

  tabs.onmessage = ({ data }) => {
    if (data.kind === "token") enter(data.token);
  };
  signIn.addEventListener("submit", (event) => {
    event.preventDefault();
    enter(input.value.trim());
  });
  if (kept !== null) return enter(kept);
  tabs.postMessage({ kind: "ask" });
  setTimeout(() => tried === null && ask(""), ASK_MS);
}
`;

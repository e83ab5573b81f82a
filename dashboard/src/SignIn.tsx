import type { SubmitEvent } from "react";
import { Brand } from "./Brand.js";

/** Asks for an API token. */
export function SignIn(props: { readonly isRefused: boolean; readonly onEnter: (token: string) => void }) {
  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token")).trim();
    if (token !== "") props.onEnter(token);
  }
  return (
    <main className="sign-in">
      <form className="card" onSubmit={submit}>
        <Brand />
        <h1>Sign in</h1>
        <p className="muted">
          Enter an API token. The server prints the first one when it starts; an administrator can create
          others.
        </p>
        <label className="field">
          API token
          <input
            name="token"
            type="password"
            required
            // biome-ignore lint/a11y/noAutofocus: there is nothing else on the page.
            autoFocus
            pattern="[!-~]+"
            title="The token as it was printed, without spaces"
            autoComplete="off"
            spellCheck={false}
            aria-invalid={props.isRefused}
            aria-describedby={props.isRefused ? "refused" : undefined}
          />
        </label>
        {props.isRefused && (
          <p id="refused" role="alert" className="problem">
            The server does not know this token. It may have been revoked.
          </p>
        )}
        <button type="submit" className="primary">
          Sign in
        </button>
        <p className="small muted">The token is kept only in this tab and deleted when the tab is closed.</p>
      </form>
    </main>
  );
}

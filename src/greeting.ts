import type { App } from "./app.js";
import type { Config } from "./config.js";
import { createLog } from "./log.js";

const READY = "invite-links is ready";
const SHOWN_ONCE = "This token has the role ADMIN and is shown only once. Keep it.";
const IN_ADMIN_TOKEN = "the value of ADMIN_TOKEN";
const SANDBOX =
  "This server uses a local sandbox instead of Telegram. To use Telegram, set TELEGRAM_BOT_TOKEN to your bot's token.";

type GreetedApp = Pick<App, "url" | "dashboardUrl" | "tokenToShow" | "sandbox">;

/** The lines that are printed on a terminal. */
function readableGreeting(app: GreetedApp, config: Config): string {
  const lines = [`${READY}: ${app.dashboardUrl ?? app.url}`];
  if (app.dashboardUrl !== null)
    lines.push(`GraphQL: ${app.url}${config.graphiql ? " (GraphiQL in a browser)" : ""}`);
  if (app.tokenToShow !== null) {
    lines.push(`API token: ${app.tokenToShow}`);
    if (app.sandbox === null) lines.push(SHOWN_ONCE);
  } else if (config.adminToken !== null) {
    lines.push(`API token: ${IN_ADMIN_TOKEN}`);
  }
  if (app.sandbox !== null) lines.push(SANDBOX);
  return `\n${lines.map((line) => `  ${line}\n`).join("")}\n`;
}

/** The same as one JSON line in the form of the log, for programs that read stdout. */
function greetingLine(app: GreetedApp, config: Config): string {
  const sentences = [`${READY}.`];
  if (app.sandbox !== null) sentences.push(SANDBOX);
  else if (app.tokenToShow !== null) sentences.push(SHOWN_ONCE);
  if (app.tokenToShow === null && config.adminToken !== null) {
    sentences.push(`The API token is ${IN_ADMIN_TOKEN}.`);
  }
  let line = "";
  const write = (text: string): void => {
    line += text;
  };
  // The greeting has a log of its own, so that LOG_LEVEL cannot silence it and the token that it shows is not hidden.
  createLog({ level: "info", format: null, secrets: [], write }).info(
    {
      url: app.url,
      dashboardUrl: app.dashboardUrl,
      graphiql: config.graphiql,
      apiToken: app.tokenToShow,
      sandbox: app.sandbox !== null,
    },
    sentences.join(" "),
  );
  return line;
}

/**
 * The text for the person or program that started the server: the address, the API token if there is one to show, and
 * whether the sandbox stands in for Telegram. The greeting and the log both go to stdout, so they have the same form:
 * readable lines on a terminal, otherwise one line of JSON.
 */
export const greetingOf = (app: GreetedApp, config: Config, isReadable: boolean): string =>
  isReadable ? readableGreeting(app, config) : greetingLine(app, config);

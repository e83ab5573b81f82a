import type { App } from "./app.js";
import type { Config } from "./config.js";
import { createLog } from "./log.js";

const READY = "invite-links is ready";
const SHOWN_ONCE = "This token has the role ADMIN and is shown this once: keep it.";
const IN_ADMIN_TOKEN = "the one in ADMIN_TOKEN";
const SANDBOX =
  "This is the sandbox, no real Telegram: set TELEGRAM_BOT_TOKEN to your bot's token for the real one.";

type Greeted = Pick<App, "url" | "dashboardUrl" | "tokenToShow" | "sandbox">;

/** What a person reads on a terminal, as lines. */
function readableGreeting(app: Greeted, config: Config): string {
  const lines = [`${READY}: ${app.url}${config.graphiql ? " (GraphiQL in a browser)" : ""}`];
  if (app.dashboardUrl !== null) lines.push(`The dashboard: ${app.dashboardUrl}`);
  if (app.tokenToShow !== null) {
    lines.push(`API token: ${app.tokenToShow}`);
    if (app.sandbox === null) lines.push(SHOWN_ONCE);
  } else if (config.adminToken !== null) {
    lines.push(`API token: ${IN_ADMIN_TOKEN}`);
  }
  if (app.sandbox !== null) lines.push(SANDBOX);
  return `\n${lines.map((line) => `  ${line}\n`).join("")}\n`;
}

/** The same as one line of the log's form, for programs that read stdout. */
function greetingLine(app: Greeted, config: Config): string {
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
  // A log of its own: no level silences the greeting, and nothing hides the token that it shows on purpose.
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
 * What the server tells whoever started it: its address, a token that may be shown, and whether Telegram is the
 * sandbox. It has the log's form, since both go to stdout: lines for people on a terminal, else one line of JSON.
 */
export const greetingOf = (app: Greeted, config: Config, isReadable: boolean): string =>
  isReadable ? readableGreeting(app, config) : greetingLine(app, config);

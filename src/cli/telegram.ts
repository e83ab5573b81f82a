import { Command, InvalidArgumentError, Option } from "commander";
import { parseChatWithTopic } from "../parsers/telegramId.js";
import { readArgument } from "../telegram/dates.js";
import { API_ROOT, createInvitationLink } from "../telegram/invitationLink.js";
import { UsageError } from "./errors.js";
import { note, print } from "./output.js";

const DEFAULT_TIMEOUT_MS = 10_000;

const CREATE_HELP = `
The command needs no server and no database. It prints Telegram's JSON answer. A refusal is printed too and gives the
exit code 1. If there is no answer, stdout stays empty, and stderr says why and whether the link may exist anyway.

WHEN is an ISO date (meaning midnight), an ISO date-time, or Unix seconds. Without an offset it is in UTC.
An empty title, an empty date and the limit 0 are not sent.

Other users can see a command's arguments in the process list, and the shell stores them in its history. So prefer
TELEGRAM_BOT_TOKEN to --token. TELEGRAM_TIMEOUT_MS is the longest wait for the answer (default: ${DEFAULT_TIMEOUT_MS}).

Examples:
  $ export TELEGRAM_BOT_TOKEN=123456789:AA…
  $ invite-links telegram CreateInvitationLink --chat @your_channel --title "Podcast, episode 7"
  $ invite-links telegram CreateInvitationLink --chat -1001234567890 --expire 2027-01-31T18:00:00+03:00 --limit 200
  $ invite-links telegram CreateInvitationLink --chat @your_channel | jq -r .result.invite_link`;

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

/** The value of TELEGRAM_TIMEOUT_MS. @throws Error if it is not acceptable */
function timeoutMs(): number {
  const text = process.env["TELEGRAM_TIMEOUT_MS"]?.trim() || String(DEFAULT_TIMEOUT_MS);
  const milliseconds = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (milliseconds >= 100 && milliseconds <= 600_000) return milliseconds;
  throw new Error(
    `TELEGRAM_TIMEOUT_MS: ${JSON.stringify(text)} is not a number of milliseconds from 100 to 600000.`,
  );
}

interface CreateOptions {
  readonly token?: string;
  readonly chat: string;
  readonly title?: string;
  readonly expire?: string;
  readonly limit: number;
  readonly apiRoot?: string;
}

async function create({ token = "", chat, title, expire, limit, apiRoot }: CreateOptions): Promise<void> {
  if (token.trim() === "")
    throw new UsageError("there is no bot token: set TELEGRAM_BOT_TOKEN or use --token");
  const signal = AbortSignal.timeout(timeoutMs());
  try {
    const { id, topic } = readArgument("chat", () => parseChatWithTopic(chat));
    if (topic !== null) note(`An invite link is for a whole chat, so the topic ${topic} is ignored.`);
    const root = apiRoot?.trim() || API_ROOT;
    const request = { token: token.trim(), chat: id, title, expire, limit, apiRoot: root, signal };
    const answer = await createInvitationLink(request);
    print(answer, JSON.stringify(answer, null, 2));
    if (!answer.ok) process.exitCode = 1;
  } catch (error) {
    // createInvitationLink throws these errors for arguments that it cannot send.
    if (error instanceof TypeError || error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

const createInvitationLinkCommand = (): Command =>
  new Command("CreateInvitationLink")
    .description("Create an invite link for a chat in which the bot may invite users.")
    .addOption(new Option("--token <token>", "the bot's token from @BotFather").env("TELEGRAM_BOT_TOKEN"))
    .requiredOption("--chat <chat>", "the chat, as its id, its @username or ID*TopicID")
    .option("--title <title>", "the name of the link; Telegram keeps its first 32 characters")
    .option("--expire <when>", "the time when the link expires (default: never)")
    .option(
      "--limit <number>",
      "the most members who joined by the link at the same time; 0 for no limit",
      wholeNumber,
      0,
    )
    .addOption(
      new Option("--api-root <url>", `another Bot API server (default: ${API_ROOT})`).env(
        "TELEGRAM_API_ROOT",
      ),
    )
    .addHelpText("after", CREATE_HELP)
    .action(create);

export const telegramCommand = (): Command =>
  new Command("telegram")
    .description("Call Telegram directly with a bot's token, without a server.")
    .addCommand(createInvitationLinkCommand());

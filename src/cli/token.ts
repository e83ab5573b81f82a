import { Command, InvalidArgumentError } from "commander";
import type { Prisma } from "../database/generated/prisma/client.js";
import { type Caller, ROLES, type Role } from "../domain/shared/caller.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { chatIdOption, userIdOption } from "./idOptions.js";
import { note, print, table } from "./output.js";

/** Whoever can open the database may do everything with it anyway. */
const CALLER: Caller = {
  key: "cli",
  name: "Command line",
  role: "ADMIN",
  chatIds: null,
  telegramUserId: null,
};

const WITH_CHANNELS = { grants: { select: { chatId: true }, orderBy: { chatId: "asc" } } } as const;
type StoredToken = Prisma.ApiTokenGetPayload<{ include: typeof WITH_CHANNELS }>;

const toToken = ({ id, name, role, allChannels, grants, telegramUserId, ...dates }: StoredToken) => ({
  id,
  name,
  role,
  /** Null for every channel. */
  channelIds: allChannels ? null : grants.map(({ chatId }) => Number(chatId)),
  telegramUserId: telegramUserId === null ? null : Number(telegramUserId),
  createdAt: dates.createdAt,
  lastUsedAt: dates.lastUsedAt,
  revokedAt: dates.revokedAt,
});
type Token = ReturnType<typeof toToken>;

const SHOWN_CHANNELS = 3;

function channelsOf({ channelIds }: Token): string {
  if (channelIds === null) return "every channel";
  const more = channelIds.length - SHOWN_CHANNELS;
  return channelIds.slice(0, SHOWN_CHANNELS).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** To the minute, in UTC. */
const minute = (date: Date | null, none: string): string =>
  date === null ? none : date.toISOString().slice(0, 16).replace("T", " ");

function tokenTable(tokens: readonly Token[]): string {
  if (tokens.length === 0) return "There are no tokens yet.";
  const heading = ["ID", "NAME", "ROLE", "CHANNELS", "MADE (UTC)", "LAST USED", "REVOKED"];
  const rows = tokens.map((token) => [
    token.id,
    token.name,
    token.role,
    channelsOf(token),
    minute(token.createdAt, ""),
    minute(token.lastUsedAt, "never"),
    minute(token.revokedAt, "no"),
  ]);
  return table([heading, ...rows]);
}

function parseRole(text: string): Role {
  const role = ROLES.find((known) => known === text.toUpperCase());
  if (role === undefined) throw new InvalidArgumentError(`It must be ${ROLES.join(", ")}.`);
  return role;
}

const addId = (text: string, ids: readonly number[] | undefined): number[] => [
  ...(ids ?? []),
  chatIdOption(text),
];

interface CreateOptions {
  readonly name: string;
  readonly role: Role;
  readonly channel?: readonly number[];
  readonly telegramUser?: number;
}

const create = ({ name, role, channel, telegramUser }: CreateOptions) =>
  withDatabase("ask it, by the mutation createApiToken.", async (opened) => {
    const { Tokens } = await import("../domain/access/tokens.js");
    const input = { name, role, chatIds: channel ?? null, telegramUserId: telegramUser ?? null };
    const { apiToken, secret } = await new Tokens(opened, CALLER).create(input);
    const stored = await opened.database.prisma.apiToken.findUniqueOrThrow({
      where: { id: apiToken.id },
      include: WITH_CHANNELS,
    });
    const token = toToken(stored);
    print(
      { secret, apiToken: token },
      `${secret}\n${token.name}: ${role}, ${channelsOf(token)}; ${token.id}`,
    );
    if (process.stdout.isTTY) note("The secret is shown this once: keep it.");
  });

const list = () =>
  withDatabase("ask it, by the query apiTokens.", async ({ database }) => {
    const { listedTokens } = await import("../domain/access/tokens.js");
    const stored = await database.prisma.apiToken.findMany({
      where: listedTokens(CALLER),
      include: WITH_CHANNELS,
      orderBy: { id: "asc" },
    });
    const tokens = stored.map(toToken);
    print(tokens, tokenTable(tokens));
  });

const revoke = (id: string) =>
  withDatabase("ask it, by the mutation revokeApiToken.", async (opened) => {
    const { Tokens } = await import("../domain/access/tokens.js");
    const revoked = await new Tokens(opened, CALLER).revoke({ id });
    print(
      { id: revoked.id, name: revoked.name, revokedAt: revoked.revokedAt },
      `${revoked.name} is revoked since ${minute(revoked.revokedAt, "")}.`,
    );
  });

const createCommand = (): Command =>
  new Command("create")
    .description("Make an API token, and show its secret this once.")
    .requiredOption("--name <name>", "what it is for: 1 to 100 characters")
    .requiredOption("--role <role>", "VIEWER reads, EDITOR changes links and tags, ADMIN does all", parseRole)
    .option(
      "--channel <id>",
      "the Telegram id of a channel it may use, repeatable (default: every channel)",
      addId,
    )
    .option(
      "--telegram-user <id>",
      "the Telegram user behind it, who is the creator of its links",
      userIdOption,
    )
    .addHelpText("after", DATABASE_HELP)
    .addHelpText(
      "after",
      `
In a pipe the output is JSON: {"secret": "…", "apiToken": {"id": "…", …}}.

Examples:
  $ invite-links token create --name "Reports" --role VIEWER
  $ invite-links token create --name "Ada" --role EDITOR --channel -1001234567890 --channel -1009876543210`,
    )
    .action(create);

const listCommand = (): Command =>
  new Command("list")
    .description("Show all API tokens, the oldest first; in a pipe as JSON.")
    .addHelpText("after", DATABASE_HELP)
    .action(list);

const revokeCommand = (): Command =>
  new Command("revoke")
    .description("Make an API token invalid, at once and for good.")
    .argument("<id>", "its global id, or the bare UUID")
    .addHelpText("after", DATABASE_HELP)
    .action(revoke);

export const tokenCommand = (): Command =>
  new Command("token")
    .description(
      "Make, show and revoke API tokens in the database of a server that is not running, or shares it.",
    )
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());

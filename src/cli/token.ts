import { Command, InvalidArgumentError } from "commander";
import type { Prisma } from "../database/generated/prisma/client.js";
import { ROLES, type Role } from "../domain/shared/caller.js";
import { CALLER } from "./caller.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { chatIdOption, userIdOption } from "./idOptions.js";
import { note, print, table } from "./output.js";

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

/** A time in UTC, without seconds. @param none the text for null */
const minute = (date: Date | null, none: string): string =>
  date === null ? none : date.toISOString().slice(0, 16).replace("T", " ");

function tokenTable(tokens: readonly Token[]): string {
  if (tokens.length === 0) return "There are no tokens yet.";
  const heading = ["ID", "NAME", "ROLE", "CHANNELS", "CREATED (UTC)", "LAST USED", "REVOKED"];
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
  const role = ROLES.find((name) => name === text.toUpperCase());
  if (role === undefined) throw new InvalidArgumentError(`It must be one of ${ROLES.join(", ")}.`);
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
  withDatabase("Use the server's mutation createApiToken instead.", async (opened) => {
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
    if (process.stdout.isTTY) note("The secret is shown only once. Keep it.");
  });

const list = () =>
  withDatabase("Use the server's query apiTokens instead.", async ({ database }) => {
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
  withDatabase("Use the server's mutation revokeApiToken instead.", async (opened) => {
    const { Tokens } = await import("../domain/access/tokens.js");
    const revoked = await new Tokens(opened, CALLER).revoke({ id });
    print(
      { id: revoked.id, name: revoked.name, revokedAt: revoked.revokedAt },
      `The token ${revoked.name} was revoked at ${minute(revoked.revokedAt, "")} UTC.`,
    );
  });

const createCommand = (): Command =>
  new Command("create")
    .description("Create an API token and show its secret, which is shown only once.")
    .requiredOption("--name <name>", "the purpose of the token, in 1 to 100 characters")
    .requiredOption(
      "--role <role>",
      "VIEWER can read, EDITOR can also change links and tags, ADMIN can do everything",
      parseRole,
    )
    .option(
      "--channel <id>",
      "the Telegram id of a channel that the token may use; repeatable (default: all channels)",
      addId,
    )
    .option(
      "--telegram-user <id>",
      "the Telegram id of the token's user, who becomes the creator of the token's links",
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
    .description("List all API tokens, the oldest first.")
    .addHelpText("after", DATABASE_HELP)
    .action(list);

const revokeCommand = (): Command =>
  new Command("revoke")
    .description("Revoke an API token, at once and for good.")
    .argument("<id>", "the token's global id or UUID")
    .addHelpText("after", DATABASE_HELP)
    .action(revoke);

export const tokenCommand = (): Command =>
  new Command("token")
    .description(
      "Create, list and revoke API tokens. A server with an embedded database must be stopped first.",
    )
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());

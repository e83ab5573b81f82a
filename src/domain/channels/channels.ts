import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { parseChat } from "../../parsers/telegramId.js";
import { UnreadableValueError } from "../../parsers/unreadable.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { Deadline, TelegramBotStatus, TelegramChat, TelegramGateway } from "../../telegram/gateway.js";
import type { CallerCache } from "../access/callerCache.js";
import { readVisible } from "../access/movedGrants.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { type CountedPage, type ListStatements, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { type Caller, requireChannel, requireRole, visible } from "../shared/caller.js";
import { BotNotInChannelError, Problems, TelegramRejectedError, ValidationError } from "../shared/errors.js";
import { parseId } from "../shared/ids.js";
import { errorOfInquiry } from "../shared/userErrorOf.js";
import { parseTimeZone } from "../time/timeZone.js";
import { type Channel, channelColumns } from "./channel.js";
import type { ChannelLoaders } from "./channelLoaders.js";
import { FollowedChat } from "./followedChat.js";
import {
  BOT_STATUS,
  isLinkable,
  storeBotStatus,
  storeChannel,
  storeChannelSettings,
  storeStatusAfterFailure,
} from "./storeChannel.js";

const OLDEST_FIRST: Ordering<Channel> = [
  { key: { name: "id", column: sql`c.id`, type: "uuid", valueOf: ({ id }) => id }, direction: "ASC" },
];

/** The codes of ISO 4217 that ICU knows. */
const CURRENCIES = new Set(Intl.supportedValuesOf("currency"));

export interface ConnectChannelInput {
  /** A chat id or an @username. */
  readonly chat: string;
  /** Null keeps the currency; a new channel has USD. */
  readonly currency?: string | null | undefined;
}

export interface UpdateChannelInput {
  /** A global id or a bare UUID. */
  readonly id: string;
  /** Left out: keeps its value. Null is refused. */
  readonly currency?: string | null | undefined;
  /** The IANA name of a time zone. Left out: keeps its value. Null is refused. */
  readonly timeZone?: string | null | undefined;
}

function readChat(text: string, problems: Problems): number | string | null {
  try {
    return parseChat(text);
  } catch (error) {
    if (!(error instanceof UnreadableValueError)) throw error;
    problems.add("chat", error.sentence);
    return null;
  }
}

function readCurrency(text: string, problems: Problems): string {
  const currency = text.trim().toUpperCase();
  if (!CURRENCIES.has(currency)) problems.add("currency", "Must be an ISO 4217 code, such as USD.");
  return currency;
}

interface ChannelsShared {
  readonly database: Database;
  readonly callerCache: CallerCache;
  readonly gateway: TelegramGateway;
}

const STATEMENTS: ListStatements = {
  page: statement("channels_page"),
  exists: statement("channels_beyond"),
  count: statement("channels_count"),
};

/** Channels, for one request. */
export class Channels {
  readonly #shared: ChannelsShared;
  readonly #database: Database;
  readonly #gateway: TelegramGateway;
  readonly #caller: Caller;
  readonly #loaders: ChannelLoaders;

  constructor(shared: ChannelsShared, caller: Caller, loaders: ChannelLoaders) {
    this.#shared = shared;
    this.#database = shared.database;
    this.#gateway = shared.gateway;
    this.#caller = caller;
    this.#loaders = loaders;
  }

  /**
   * The channel of a chat; null if it is not known yet.
   * @throws ForbiddenError if the caller may not use the chat.
   */
  async find(chatId: number): Promise<Channel | null> {
    requireChannel(this.#caller, chatId);
    return this.#loaders.channelByChatId.load(chatId);
  }

  /** A page of the channels that the caller may use, the oldest first. */
  async page(args: PageArguments): Promise<CountedPage<Channel>> {
    const request = readPageArguments(args);
    return readVisible(this.#database, this.#caller, () =>
      readList(
        this.#database,
        {
          statements: STATEMENTS,
          columns: channelColumns,
          alias: sql`c`,
          table: sql`channel c`,
          where: visible(this.#caller, sql`c.chat_id`),
        },
        OLDEST_FIRST,
        request,
      ),
    );
  }

  /**
   * Asks Telegram about a chat and about the bot in it, and stores both.
   * @throws ForbiddenError, ValidationError, BotNotInChannelError, and the errors of errorOfInquiry.
   */
  async connect(input: ConnectChannelInput): Promise<Channel> {
    requireRole(this.#caller, "ADMIN");
    const problems = new Problems();
    const named = readChat(input.chat, problems);
    const currency = input.currency == null ? null : readCurrency(input.currency, problems);
    problems.check();
    if (named === null) throw new TypeError("A chat that cannot be read was not added to the problems.");
    if (typeof named === "number") requireChannel(this.#caller, named);

    const deadline = this.#gateway.deadline();
    const chat = await this.#getChat(named, deadline);
    if (!isLinkable(chat)) {
      throw new ValidationError([
        { field: "chat", message: "This is a person's chat; links belong to channels and groups." },
      ]);
    }
    requireChannel(this.#caller, chat.id, named);
    const standing = await this.#standing(chat.id, deadline);
    if (standing === "notInChat") {
      await storeBotStatus(this.#database, chat.id, BOT_STATUS.notInChat);
      throw new BotNotInChannelError(chat.id);
    }
    return storeChannel(this.#database, this.#caller, chat, { botStatus: BOT_STATUS[standing], currency });
  }

  /**
   * Changes the currency of a channel's budgets and its time zone. No amount is converted.
   * @throws ForbiddenError, ValidationError, NotFoundError
   */
  async update(input: UpdateChannelInput): Promise<Channel> {
    requireRole(this.#caller, "ADMIN");
    const problems = new Problems();
    const id = parseId("Channel", input.id, "id", problems);
    for (const field of ["currency", "timeZone"] as const)
      if (input[field] === null) problems.add(field, "Must not be null.");
    const currency = input.currency == null ? undefined : readCurrency(input.currency, problems);
    const timeZone =
      input.timeZone == null ? undefined : parseTimeZone(input.timeZone, "timeZone", problems)?.name;
    problems.check();
    return storeChannelSettings(this.#database, this.#caller, id, {
      ...(currency === undefined ? {} : { currency }),
      ...(timeZone === undefined ? {} : { timeZone }),
    });
  }

  async #getChat(named: number | string, deadline: Deadline): Promise<TelegramChat> {
    const chat = typeof named === "number" ? new FollowedChat(this.#shared, this.#caller, named) : null;
    try {
      return chat
        ? await chat.call((chatId) => this.#gateway.getChat(chatId, deadline))
        : await this.#gateway.getChat(named, deadline);
    } catch (error) {
      if (!(error instanceof TelegramCallError)) throw error;
      if (chat) await storeStatusAfterFailure(this.#database, chat.id, error.failure);
      else if (error.failure.kind === "notInChat") throw new BotNotInChannelError(null);
      if (error.failure.kind === "missingRights")
        throw new TelegramRejectedError("the bot may not see this chat");
      throw errorOfInquiry(error, chat?.id ?? 0);
    }
  }

  async #standing(chatId: number, deadline: Deadline): Promise<TelegramBotStatus> {
    try {
      return await this.#gateway.botStatus(chatId, deadline);
    } catch (error) {
      if (!(error instanceof TelegramCallError)) throw error;
      const { kind } = error.failure;
      if (kind === "notInChat" || kind === "missingRights") return kind;
      throw errorOfInquiry(error, chatId);
    }
  }
}

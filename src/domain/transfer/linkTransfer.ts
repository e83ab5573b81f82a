import type { Database } from "../../database/database.js";
import type { Loaders } from "../links/linkLoaders.js";
import { type InviteLinkFilter, parseFilter } from "../links/query/filter.js";
import { checkGroups } from "../links/query/groupCheck.js";
import { type Caller, requireChannel, requireEveryChannel, requireRole } from "../shared/caller.js";
import type { StorageGuard } from "../shared/databaseErrors.js";
import { NotFoundError } from "../shared/errors.js";
import { type OpenExport, openExport } from "./exportLinks.js";
import { type ImportOptions, LinkImport } from "./importLinks.js";

export interface ExportArguments {
  readonly chatId: number;
  readonly filter?: InviteLinkFilter | null | undefined;
  readonly withStats: boolean;
}

interface TransferServices {
  readonly database: Database;
  readonly storageGuard: StorageGuard;
}

/** Imports and exports of links, for one request. */
export class LinkTransfer {
  readonly #services: TransferServices;
  readonly #reading: Database;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(
    services: TransferServices,
    { reading, caller, loaders }: { reading: Database; caller: Caller; loaders: Loaders },
  ) {
    this.#services = services;
    this.#reading = reading;
    this.#caller = caller;
    this.#loaders = loaders;
  }

  /**
   * Opens the links of a chat for an export, which must be closed.
   * @throws ForbiddenError, ValidationError, NotFoundError for a chat without a channel, RateLimitedError
   */
  async openExport({ chatId, filter, withStats }: ExportArguments): Promise<OpenExport> {
    requireRole(this.#caller, "ADMIN");
    requireChannel(this.#caller, chatId);
    const { selection, groups } = parseFilter(chatId, filter ?? {}, new Date());
    if ((await this.#loaders.channelByChatId.load(chatId)) === null) throw new NotFoundError("channel");
    await checkGroups({ chatId, groups }, this.#loaders);
    return openExport(this.#reading, chatId, selection, withStats);
  }

  /**
   * To be called before the rows are received.
   * @param chatId the chat of all links; null if each row names its own
   * @throws ForbiddenError; DatabaseUnavailableError while nothing can be stored
   */
  requireImport(chatId: number | null): void {
    requireRole(this.#caller, "ADMIN");
    if (chatId === null) requireEveryChannel(this.#caller);
    else requireChannel(this.#caller, chatId);
    this.#services.storageGuard.requireWritable();
  }

  /** @throws ForbiddenError */
  import(options: ImportOptions): LinkImport {
    this.requireImport(options.chatId);
    return new LinkImport(this.#services.database, this.#caller, options);
  }
}

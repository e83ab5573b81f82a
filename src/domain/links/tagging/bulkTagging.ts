import type { Database } from "../../../database/database.js";
import { type AuditEntry, audit } from "../../shared/audit.js";
import { type Caller, requireRole } from "../../shared/caller.js";
import { NotFoundError, Problems } from "../../shared/errors.js";
import { parseIds } from "../../shared/ids.js";
import type { InviteLink } from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import { changeTags, checkTags, distinct, parseTagIds } from "./linkTags.js";

/** Global ids or bare UUIDs. */
export interface SetInviteLinkTagsInput {
  readonly ids: readonly string[];
  readonly addTagIds: readonly string[];
  readonly removeTagIds: readonly string[];
}

/** The largest number of links in one call. */
const MAX_LINKS = 250;

/** Adds and removes tags of many links at once, for one request. */
export class BulkTagging {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(database: Database, caller: Caller, loaders: Loaders) {
    this.#database = database;
    this.#caller = caller;
    this.#loaders = loaders;
  }

  /**
   * Adds tags to links of one channel and removes others, in one transaction.
   * @returns the links, each once.
   * @throws ForbiddenError, ValidationError; NotFoundError if one of the links does not exist.
   */
  async set(input: SetInviteLinkTagsInput): Promise<InviteLink[]> {
    requireRole(this.#caller, "EDITOR");
    const problems = new Problems();
    const ids = distinct(parseIds("InviteLink", input.ids, "ids", problems, MAX_LINKS));
    const added = parseTagIds(input.addTagIds, "addTagIds", problems);
    const removed = parseTagIds(input.removeTagIds, "removeTagIds", problems);
    problems.check();
    const found = await this.#load(ids);
    if (found.length < ids.length) throw new NotFoundError("invite link");
    const channelId = found[0]?.channelId;
    if (channelId === undefined) return [];
    if (found.some((link) => link.channelId !== channelId))
      problems.add("ids", "All links must be in one channel.");
    await checkTags(added, channelId, "addTagIds", this.#loaders, problems);
    await checkTags(removed, channelId, "removeTagIds", this.#loaders, problems);
    for (const [index, id] of removed.entries()) {
      if (id !== null && added.includes(id))
        problems.add(`removeTagIds.${index}`, "This tag is in addTagIds as well.");
    }
    problems.check();
    await this.#database.transaction(async (unit) => {
      const tagging = { linkIds: ids, tagIds: distinct(added) };
      const changes = await changeTags(unit, tagging, distinct(removed));
      const entries = changes.map(
        ({ linkId: subjectId, channelId: presentId, ...change }): AuditEntry => ({
          action: "inviteLink.setTags",
          subjectId,
          channelId: presentId,
          change,
        }),
      );
      await audit(unit, this.#caller, ...entries);
    });
    // The links are read again. One that was deleted with its channel meanwhile is left out.
    for (const id of ids) this.#loaders.inviteLink.clear(id);
    return this.#load(ids);
  }

  /** The links that exist and that the caller may see. */
  async #load(ids: readonly string[]): Promise<InviteLink[]> {
    const links = await Promise.all(ids.map((id) => this.#loaders.inviteLink.load(id)));
    return links.filter((link) => link !== null);
  }
}

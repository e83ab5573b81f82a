import type { Page } from "../../paging/page.js";
import { Problems } from "../../shared/errors.js";
import type { Tag } from "../../tags/tag.js";
import type { InviteLink } from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import type { ParsedGroup } from "./filter.js";

/** The tag groups of a filter, with the chat whose links are filtered. */
export interface GroupsOfChat {
  readonly chatId: number;
  readonly groups: readonly ParsedGroup[];
}

/** Reads a page of links under groups, unless the groups are wrong. */
export type ReadUnderGroups = <Read extends Page<InviteLink>>(
  groups: GroupsOfChat,
  loaders: Loaders,
  read: () => Promise<Read>,
) => Promise<Read | null>;

/** Whether a group's tags are tags of the chat and of the group's type. A group without tags leaves its type unproven. */
export const isRightGroup = (
  { typeId }: ParsedGroup,
  tags: readonly (Tag | null | undefined)[],
  chatId: number,
): boolean => tags.length > 0 && tags.every((tag) => tag?.chatId === chatId && tag.typeId === typeId);

/**
 * Checks that each tag of the groups belongs to the channel and to its group's type, and that each type exists. Only the
 * tags are looked up unless something is wrong with a group.
 * @returns false if there is no such channel, and so no links.
 * @throws ValidationError
 */
export async function checkGroups({ chatId, groups }: GroupsOfChat, loaders: Loaders): Promise<boolean> {
  const tags = await Promise.all(
    groups.map(({ tagIds }) => Promise.all(tagIds.map((id) => loaders.tag.load(id)))),
  );
  if (groups.every((group, index) => isRightGroup(group, tags[index] ?? [], chatId))) return true;
  if ((await loaders.channelByChatId.load(chatId)) === null) return false;
  const types = await Promise.all(groups.map(({ typeId }) => loaders.tagType.load(typeId)));
  const problems = new Problems();
  for (const [index, { path, typeId }] of groups.entries()) {
    if (types[index] === null) problems.add(`${path}.tagTypeId`, "There is no such tag type.");
    for (const [place, tag] of (tags[index] ?? []).entries()) {
      if (tag?.chatId !== chatId) {
        problems.add(`${path}.tagIds.${place}`, "There is no such tag in this channel.");
      } else if (tag.typeId !== typeId) {
        problems.add(`${path}.tagIds.${place}`, "This tag is of another type.");
      }
    }
  }
  problems.check();
  return true;
}

/**
 * Checks the groups, then reads. Plain twin of groupProof.ts.
 * @returns null if there is no such channel.
 * @throws ValidationError
 */
export const readWhenChecked: ReadUnderGroups = async (groups, loaders, read) =>
  (await checkGroups(groups, loaders)) ? read() : null;

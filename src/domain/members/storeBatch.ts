import type { DirectTransaction } from "../../database/directTransaction.js";
import type { JoinPath } from "../../database/generated/prisma/client.js";
import type { Instant } from "../../database/instant.js";
import type {
  BotStatusUpdate,
  JoinRequestUpdate,
  MemberUpdate,
  ReceivedUpdate,
} from "../../telegram/updates.js";
import { newId } from "../shared/ids.js";
import type { BotStatusChange } from "../stays/absences.js";
import { changeHistory, type PersonNews } from "../stays/changes.js";
import type { Request, Source, Transition } from "../stays/history.js";
import { type PersonKey, personKey, readHistories } from "../stays/rows.js";
import { storeBotStatuses } from "./botPresence.js";
import { lockChannels } from "./learnedChats.js";
import { attributeLinks, type NamedLink, NO_LINK } from "./linkAttribution.js";
import { writeChanges } from "./writeChanges.js";

/** An update about a chat, with its id. */
type ChatContent = (MemberUpdate | JoinRequestUpdate | BotStatusUpdate) & { readonly updateId: number };

interface PersonUpdates {
  readonly person: PersonKey;
  readonly updates: ((MemberUpdate | JoinRequestUpdate) & { readonly updateId: number })[];
}

function pathOf({ isByChatFolder, link, isByJoinRequest, actorId }: MemberUpdate): JoinPath {
  if (isByChatFolder) return "CHAT_FOLDER";
  if (link) return "INVITE_LINK";
  if (isByJoinRequest) return "JOIN_REQUEST";
  return actorId === null ? "DIRECT" : "ADDED";
}

const isJoin = ({ wasIn, isIn }: MemberUpdate): boolean => !wasIn && isIn;

/** @returns null for a change that is neither a join nor a leave. */
function transitionOf(update: MemberUpdate & { updateId: number }, source: Source): Transition | null {
  const { at, updateId, actorId, wasIn, isIn } = update;
  if (isJoin(update))
    return { kind: "join", join: { at, updateId, actorId, ...source, path: pathOf(update), sequence: null } };
  if (isIn) return null;
  if (!wasIn) return { kind: "absence", at, updateId };
  const isRemoval = actorId !== null;
  return { kind: "leave", leave: { at, updateId, actorId, isRemoval, isInferred: false, sequence: null } };
}

const requestOf = ({ at, bio }: JoinRequestUpdate, updateId: number, source: Source): Request => ({
  id: newId(),
  at,
  updateId,
  actorId: null,
  ...source,
  state: "PENDING",
  decidedAt: null,
  decision: null,
  decline: null,
  sequence: null,
  bio,
});

/** What happened to a person, as updates tell it. */
function newsOf(
  { person: { channelId }, updates }: PersonUpdates,
  sourceOf: (named: NamedLink) => Source,
): PersonNews {
  const transitions: Transition[] = [];
  const requests: Request[] = [];
  for (const update of updates) {
    const source = update.link ? sourceOf({ channelId, link: update.link }) : NO_LINK;
    if (update.kind === "joinRequest") {
      requests.push(requestOf(update, update.updateId, source));
      continue;
    }
    const transition = transitionOf(update, isJoin(update) ? source : NO_LINK);
    if (transition) transitions.push(transition);
  }
  return { transitions, requests, outcomes: [] };
}

/** The links by which somebody joined or asked to join. */
const namedLinksOf = ({ person: { channelId }, updates }: PersonUpdates): NamedLink[] =>
  updates.flatMap((update) =>
    update.link && (update.kind === "joinRequest" || isJoin(update))
      ? [{ channelId, link: update.link }]
      : [],
  );

/**
 * Stores what updates mean. The updates are in the ledger already, each for the first time.
 * @returns the ids of the channels in which something happened
 */
export async function storeMeaning(
  transaction: DirectTransaction,
  { botId, now }: { readonly botId: number; readonly now: Instant },
  updates: readonly ReceivedUpdate[],
): Promise<Set<string>> {
  const contents: ChatContent[] = [];
  for (const { updateId, content } of updates)
    if (content.kind !== "other" && content.kind !== "unreadable") contents.push({ ...content, updateId });
  if (contents.length === 0) return new Set();
  const { ids, lastSequences } = await lockChannels(transaction, contents, now);
  const channelOf = ({ chat }: ChatContent): string => {
    const channelId = ids.get(chat.id);
    if (channelId === undefined) throw new Error("A chat of a batch has no channel.");
    return channelId;
  };
  const persons = new Map<string, PersonUpdates>();
  const botStatuses = new Map<string, BotStatusChange[]>();
  for (const update of contents) {
    const channelId = channelOf(update);
    if (update.kind === "botStatus") {
      botStatuses.set(channelId, [...(botStatuses.get(channelId) ?? []), update]);
      continue;
    }
    if (update.kind === "member" && update.wasIn && update.isIn) continue;
    const person = { channelId, userId: update.userId };
    const key = personKey(person);
    const known = persons.get(key);
    if (known) known.updates.push(update);
    else persons.set(key, { person, updates: [update] });
  }
  const named = [...persons.values()].flatMap(namedLinksOf);
  const sourceOf = await attributeLinks(transaction, { botId, now }, named);
  const histories =
    persons.size === 0
      ? []
      : await readHistories(
          transaction,
          [...persons.values()].map(({ person }) => person),
        );
  const changes = histories.flatMap((history) => {
    const ofPerson = persons.get(personKey(history));
    return ofPerson ? [changeHistory(history, newsOf(ofPerson, sourceOf))] : [];
  });
  await storeBotStatuses(transaction, botId, botStatuses);
  return writeChanges(transaction, changes, lastSequences, now);
}

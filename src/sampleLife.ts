import type { SandboxControl, TelegramUser } from "./sandbox/sandbox.js";

/** Milliseconds between two things that happen. */
const LEAST_PAUSE_MS = 5_000;
const MOST_PAUSE_MS = 15_000;
/** Above the ids of the history's people. */
const FIRST_USER_ID = 950_000_001;
const FIRST_NAMES = [
  "Amir",
  "Bea",
  "Chen",
  "Eva",
  "Femi",
  "Gita",
  "Hugo",
  "Iris",
  "Jonas",
  "Kira",
  "Luis",
  "Mila",
];

const oneOf = <Item>(items: readonly Item[]): Item | undefined =>
  items[Math.floor(Math.random() * items.length)];

function newPerson(): TelegramUser {
  const id = FIRST_USER_ID + Math.floor(Math.random() * 40_000_000);
  return { id, is_bot: false, first_name: oneOf(FIRST_NAMES) ?? "Amir" };
}

/** Somebody joins by a link, or asks to. */
function arrive(control: SandboxControl, chatId: number): void {
  const link = oneOf(control.links(chatId).filter(({ isRevoked }) => !isRevoked));
  if (link) control.join(chatId, newPerson(), { url: link.url });
}

/** A member who came by a link leaves. */
function leave(control: SandboxControl, chatId: number): void {
  const member = oneOf(control.members(chatId).filter(({ joinedBy }) => joinedBy !== null));
  if (member) control.leave(chatId, member.user.id);
}

/** The owner approves one of the requests. @returns whether there is one */
function approve(control: SandboxControl, chatId: number): boolean {
  const request = oneOf(control.joinRequests(chatId));
  return request !== undefined && control.approveJoinRequest(chatId, request.user.id);
}

/** Milliseconds until the next thing happens, a few times a minute. */
const randomPause = (): number => LEAST_PAUSE_MS + Math.random() * (MOST_PAUSE_MS - LEAST_PAUSE_MS);

/** Lets something happen among the members of the sandbox's chats. */
function happen(control: SandboxControl): void {
  const chat = oneOf(control.chats());
  if (!chat) return;
  const chance = Math.random();
  if (chance < 0.1 && approve(control, chat.id)) return;
  if (chance < 0.75) arrive(control, chat.id);
  else leave(control, chat.id);
}

/**
 * Lets people come, leave and ask to join by the sandbox's links, a few of them a minute.
 * @param pause gives the milliseconds until the next thing happens
 * @returns ends it
 */
export function startSampleLife(control: SandboxControl, pause = randomPause): () => void {
  let timer: NodeJS.Timeout;
  const schedule = () => {
    timer = setTimeout(() => {
      happen(control);
      schedule();
    }, pause()).unref();
  };
  schedule();
  return () => clearTimeout(timer);
}

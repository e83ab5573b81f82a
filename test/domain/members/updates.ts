// Updates as Telegram sends them, and a plain model of what they mean.

import fc from "fast-check";
import { type ReceivedUpdate, readUpdate } from "../../../src/telegram/updates.js";

export const BOT_ID = 7_000_000_001;
const ADMIN_ID = 500;

/** A link as updates name it. */
export interface SeedLink {
  readonly address: string;
  readonly name: string | null;
  readonly creatorId: number;
}

export interface SeedUpdate {
  readonly updateId: number;
  readonly kind: "join" | "leave" | "ban" | "stay" | "request";
  readonly chat: number;
  readonly user: number;
  /** Unix seconds. */
  readonly date: number;
  /** The index of a link; null for none. */
  readonly link: number | null;
  readonly isByAdmin: boolean;
  readonly isByRequest: boolean;
  readonly isByFolder: boolean;
}

export const LINKS: readonly SeedLink[] = [
  { address: "https://t.me/+WholeOne", name: "One", creatorId: BOT_ID },
  { address: "https://t.me/+WholeTwo", name: null, creatorId: BOT_ID },
  { address: "https://t.me/+Shortened...", name: "Other", creatorId: ADMIN_ID },
];

const person = (id: number) => ({ id, is_bot: false, first_name: `Secret ${id}`, username: `secret${id}` });

const linkOf = ({ address, name, creatorId }: SeedLink) => ({
  invite_link: address,
  creator: { ...person(creatorId), is_bot: creatorId === BOT_ID },
  creates_join_request: false,
  is_primary: false,
  is_revoked: false,
  ...(name !== null && { name }),
});

const STATUSES = {
  join: ["left", "member"],
  leave: ["member", "left"],
  ban: ["left", "kicked"],
  stay: ["member", "administrator"],
} as const;

export const chatOf = (id: number, type = "supergroup") => ({ id, type, title: `Chat ${id}` });

/** An update as Telegram sends it. */
export function telegramUpdate(seed: SeedUpdate, type = "supergroup"): object {
  const { updateId, kind, user, date, isByAdmin, isByRequest, isByFolder } = seed;
  const link = seed.link === null ? undefined : LINKS[seed.link];
  const named = link && { invite_link: linkOf(link) };
  const chat = chatOf(seed.chat, type);
  if (kind === "request") {
    const request = { chat, from: person(user), user_chat_id: user, date, bio: `Bio of ${user}`, ...named };
    return { update_id: updateId, chat_join_request: request };
  }
  const [before, after] = STATUSES[kind];
  return {
    update_id: updateId,
    chat_member: {
      chat,
      from: person(isByAdmin ? ADMIN_ID : user),
      date,
      old_chat_member: { user: person(user), status: before },
      new_chat_member: { user: person(user), status: after },
      ...(kind === "join" && {
        ...named,
        via_join_request: isByRequest,
        via_chat_folder_invite_link: isByFolder,
      }),
    },
  };
}

export function received(update: object): ReceivedUpdate {
  const read = readUpdate(update);
  if (read === null) throw new Error("The update has no id.");
  return read;
}

const DAY = 86_400;
const START = 1_780_000_000;

/** Updates of few persons in few chats, so that their histories become entangled. The ids are distinct. */
export const updateSeeds = (chats: readonly number[]): fc.Arbitrary<SeedUpdate[]> =>
  fc
    .array(
      fc.record({
        kind: fc.constantFrom("join", "join", "leave", "leave", "ban", "stay", "request"),
        chat: fc.constantFrom(...chats),
        user: fc.constantFrom(11, 12, 13),
        date: fc.oneof(
          fc.integer({ min: 0, max: 3 }).map((seconds) => START + seconds),
          fc.integer({ min: 0, max: 40 }).map((days) => START + days * DAY),
        ),
        link: fc.constantFrom(null, 0, 1, 2),
        isByAdmin: fc.boolean(),
        isByRequest: fc.boolean(),
        isByFolder: fc.boolean(),
      }),
      { maxLength: 30 },
    )
    .map((seeds) => seeds.map((seed, index) => ({ ...seed, updateId: 1000 + index }) as SeedUpdate));

/** One stay, as the model tells it. */
export interface ModelStay {
  readonly chat: number;
  readonly user: number;
  joined: number | null;
  left: number | null;
  link: number | null;
  isRemoval: boolean;
  isInferred: boolean;
  isRejoin: boolean;
  isFirstByLink: boolean;
  path: string | null;
}

export interface ModelRequest {
  readonly chat: number;
  readonly user: number;
  readonly link: number | null;
  readonly requested: number;
  state: string;
}

/** What updates mean in the order of their dates: the stays, and the requests. Nothing here is shared with the server. */
export function model(seeds: readonly SeedUpdate[]): { stays: ModelStay[]; requests: ModelRequest[] } {
  const stays: ModelStay[] = [];
  const requests: ModelRequest[] = [];
  const sorted = [...seeds].sort((one, other) => one.date - other.date || one.updateId - other.updateId);
  for (const seed of sorted) {
    const { kind, chat, user, date, link, isByAdmin } = seed;
    const own = stays.filter((stay) => stay.chat === chat && stay.user === user);
    const open = own.find((stay) => stay.left === null);
    const end = (isRemoval: boolean, isInferred: boolean) => {
      if (open) Object.assign(open, { left: date, isRemoval, isInferred });
      return open !== undefined;
    };
    const pending = requests.find(
      (request) => request.chat === chat && request.user === user && request.state === "PENDING",
    );
    if (kind === "join") {
      end(false, true);
      const withoutLink = seed.isByRequest ? "JOIN_REQUEST" : isByAdmin ? "ADDED" : "DIRECT";
      const path = seed.isByFolder ? "CHAT_FOLDER" : link === null ? withoutLink : "INVITE_LINK";
      stays.push({
        chat,
        user,
        joined: date,
        left: null,
        link,
        isRemoval: false,
        isInferred: false,
        isRejoin: own.length > 0,
        isFirstByLink: link !== null && own.every((stay) => stay.link !== link),
        path,
      });
      if (pending) {
        const isApproved = pending.link === link && (link !== null || path === "JOIN_REQUEST");
        pending.state = isApproved ? "APPROVED" : "GONE";
      }
    } else if (kind === "leave" && !end(isByAdmin, false)) {
      stays.push({
        chat,
        user,
        joined: null,
        left: date,
        link: null,
        isRemoval: isByAdmin,
        isInferred: false,
        isRejoin: own.length > 0,
        isFirstByLink: false,
        path: null,
      });
    } else if (kind === "ban") {
      end(false, true);
    } else if (kind === "request") {
      if (pending) pending.state = "GONE";
      requests.push({ chat, user, link, requested: date, state: "PENDING" });
    }
  }
  return { stays, requests };
}

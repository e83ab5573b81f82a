// The chats and updates of the part `members`: people who join by links, leave and ask to join, as Telegram tells it.

import { random } from "./random.mjs";

export const CHANNELS = 100;
/** Of each channel. */
export const LINKS = 500;
/** Members of each channel before the first update. */
export const MEMBERS = 1000;

const BOT_ID = 7000000001;
const ADMINISTRATOR = 100_000_001;

export const chatIdOf = (/** @type {number} */ channel) => -1_001_000_000_000 - channel;
export const addressOf = (/** @type {number} */ channel, /** @type {number} */ link) =>
  `https://t.me/+Link${String(channel).padStart(4, "0")}of${String(link).padStart(6, "0")}`;
/** The members before the first update have these ids, all others higher ones. */
export const memberOf = (/** @type {number} */ channel, /** @type {number} */ number) =>
  1_000_000_000 + channel * 1_000_000 + number;
const NEW_PEOPLE = 10_000_000_000;

const person = (/** @type {number} */ id) => ({
  id,
  is_bot: false,
  first_name: `Name ${id % 1000}`,
  last_name: "Surname",
  username: `person_${id}`,
  language_code: "en",
});

/** Makes updates of which each is about another chat than the one before. */
export class Updates {
  #id;
  #random;
  #channels;
  /** By channel: who is in it, in the order in which they leave. @type {{ ids: number[], left: number }[]} */
  #members;

  /** @param {{ first: number, channels?: number, seed?: number }} options the id of the first update; of one channel or of all */
  constructor({ first, channels = CHANNELS, seed = 42 }) {
    this.#id = first;
    this.#channels = channels;
    this.#random = random(seed);
    this.#members = Array.from({ length: channels }, (_, channel) => ({
      ids: Array.from({ length: MEMBERS }, (_, number) => memberOf(channel, number)),
      left: 0,
    }));
  }

  /** Nine of twenty updates are joins by a link, one a join without, eight leaves, two requests. */
  next() {
    const id = this.#id;
    this.#id += 1;
    const channel = id % this.#channels;
    const members = /** @type {{ ids: number[], left: number }} */ (this.#members[channel]);
    const drawn = this.#random() * 20;
    const chat = {
      id: chatIdOf(channel),
      type: "channel",
      title: `Channel ${channel}`,
    };
    const date = Math.floor(Date.now() / 1000);
    const link = {
      invite_link: addressOf(channel, Math.floor(this.#random() * LINKS)),
      creator: { id: BOT_ID, is_bot: true, first_name: "Bench", username: "bench_bot" },
      name: "Campaign",
      creates_join_request: drawn >= 18,
      is_primary: false,
      is_revoked: false,
    };
    if (drawn >= 18) {
      const user = person(NEW_PEOPLE + id);
      const request = { chat, from: user, user_chat_id: user.id, date, bio: "About me", invite_link: link };
      return { update_id: id, chat_join_request: request };
    }
    const isLeave = drawn >= 10;
    const userId = isLeave ? /** @type {number} */ (members.ids[members.left++]) : NEW_PEOPLE + id;
    if (!isLeave) members.ids.push(userId);
    const user = person(userId);
    const [outside, inside] = [
      { user, status: "left" },
      { user, status: "member" },
    ];
    const isRemoval = isLeave && drawn < 11;
    return {
      update_id: id,
      chat_member: {
        chat,
        from: isRemoval ? person(ADMINISTRATOR) : user,
        date,
        old_chat_member: isLeave ? inside : outside,
        new_chat_member: isLeave ? outside : inside,
        ...(drawn < 9 && { invite_link: link }),
      },
    };
  }

  /** @param {number} count */
  take(count) {
    return Array.from({ length: count }, () => this.next());
  }
}

// For tests of servers and databases that fail: people who come and go in the sandbox's chats at random, and what the database
// must hold of them in the end.

import { randomInt } from "node:crypto";
import { expect } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.js";
import { model, type SeedUpdate } from "../domain/members/updates.js";

const PEOPLE = 60;

interface Member {
  readonly user: { readonly id: number };
  readonly status: string;
  readonly is_member?: boolean;
}

/** The part of Telegram's updates that the model needs. */
interface Sent {
  readonly update_id: number;
  readonly chat_member?: {
    readonly chat: { readonly id: number };
    readonly from: { readonly id: number };
    readonly date: number;
    readonly old_chat_member: Member;
    readonly new_chat_member: Member;
    readonly invite_link?: { readonly invite_link: string };
  };
  readonly chat_join_request?: {
    readonly chat: { readonly id: number };
    readonly from: { readonly id: number };
    readonly date: number;
    readonly invite_link: { readonly invite_link: string };
  };
}

const isIn = ({ status, is_member }: Member): boolean =>
  ["creator", "administrator", "member"].includes(status) || (status === "restricted" && is_member === true);

/** People who join by links, ask to join, leave and are removed at random, and what the bot was sent about them. */
export class Crowd {
  readonly #telegram: Sandbox;
  readonly #chats: readonly number[];
  readonly #sent = new Map<number, Sent>();
  /** The whole addresses of links, by chat. */
  readonly #links: ReadonlyMap<number, readonly string[]>;

  constructor(telegram: Sandbox, chats: readonly number[]) {
    this.#telegram = telegram;
    this.#chats = chats;
    const { control } = telegram;
    this.#links = new Map(
      chats.map((chat) => {
        const link = (createsJoinRequest: boolean) => control.makeLink(chat, { createsJoinRequest }).url;
        return [chat, [link(false), link(false), link(true)]];
      }),
    );
  }

  act(): void {
    const { control } = this.#telegram;
    const chat = this.#chats[randomInt(this.#chats.length)] ?? 0;
    const id = 1 + randomInt(PEOPLE);
    const user = { id, is_bot: false, first_name: `Person ${id}` };
    const status = control.members(chat).find((member) => member.user.id === id)?.status.status;
    const url = [undefined, ...(this.#links.get(chat) ?? [])][randomInt(4)];
    if (status === "member" && randomInt(4) === 0) control.ban(chat, user);
    else if (status === "member") control.leave(chat, id);
    else if (status === "kicked") control.setMember(chat, user, { status: "left" });
    else if (!control.approveJoinRequest(chat, id))
      control.join(chat, user, url === undefined ? {} : { url });
    const last = control.pendingUpdates().at(-1);
    if (last) this.#sent.set(last.update_id, last as unknown as Sent);
    // Telegram may send an update again.
    const again = [...this.#sent.values()][randomInt(this.#sent.size)];
    if (again && randomInt(10) === 0) control.inject({ ...again });
  }

  get ids(): number[] {
    return [...this.#sent.keys()].sort((one, other) => one - other);
  }

  /** The addresses of links as updates name them. */
  get addresses(): string[] {
    const named = [...this.#sent.values()].map((sent) => sent.chat_member ?? sent.chat_join_request);
    return [...new Set(named.flatMap((sent) => sent?.invite_link?.invite_link ?? []))].sort();
  }

  /** What was sent, for the model. A link is its place among `addresses`. */
  get seeds(): SeedUpdate[] {
    const { addresses } = this;
    return [...this.#sent.values()].flatMap((update): SeedUpdate[] => {
      const { update_id: updateId, chat_member, chat_join_request } = update;
      const sent = chat_member ?? chat_join_request;
      if (!sent) return [];
      const address = sent.invite_link?.invite_link;
      const common = {
        updateId,
        chat: sent.chat.id,
        date: sent.date,
        link: address === undefined ? null : addresses.indexOf(address),
        isByRequest: false,
        isByFolder: false,
      };
      if (!chat_member) return [{ ...common, kind: "request", user: sent.from.id, isByAdmin: false }];
      const { old_chat_member: before, new_chat_member: after } = chat_member;
      const [ofMember, ofOther] = isIn(before) ? (["stay", "leave"] as const) : (["join", "ban"] as const);
      const user = after.user.id;
      const isByAdmin = sent.from.id !== user;
      return [{ ...common, kind: isIn(after) ? ofMember : ofOther, user, isByAdmin }];
    });
  }
}

/** The stays and requests of the database, as the model tells them. */
const STORED = `
  select json_build_object(
    'stays', (select coalesce(json_agg(json_build_object(
      'chat', c.chat_id, 'user', m.user_id, 'joined', extract(epoch from m.joined_at)::int,
      'left', extract(epoch from m.left_at)::int, 'link', l.url, 'isRemoval', m.is_removal,
      'isInferred', m.is_inferred_leave, 'isRejoin', m.is_rejoin, 'isFirstByLink', m.is_first_by_link, 'path', m.path)), '[]')
      from membership m join channel c on c.id = m.channel_id left join invite_link l on l.id = m.link_id
      where m.joined_at is not null or not m.is_inferred_leave),
    'requests', (select coalesce(json_agg(json_build_object(
      'chat', c.chat_id, 'user', r.user_id, 'link', l.url, 'requested', extract(epoch from r.requested_at)::int,
      'state', r.state)), '[]')
      from join_request r join channel c on c.id = r.channel_id left join invite_link l on l.id = r.link_id)
  ) as stored`;

const sorted = (rows: readonly object[]): string[] =>
  rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();

/** Reads rows of the servers' database, and waits while it is away. */
export type Query = <Row extends object>(text: string) => Promise<Row[]>;

/** Waits until all updates are stored, and checks that each of them was counted once. */
export async function expectAllStored(telegram: Sandbox, crowd: Crowd, query: Query): Promise<void> {
  await expect.poll(() => telegram.control.pendingUpdates(), { timeout: 180_000, interval: 200 }).toEqual([]);
  const stored = await query<{ id: string }>(
    "select update_id as id from telegram_update order by update_id",
  );
  expect(stored.map(({ id }) => Number(id))).toEqual(crowd.ids);
  expect(await query("select reason from failed_update")).toEqual([]);
  expect(await query("select reason from coverage_gap")).toEqual([]);

  const { addresses } = crowd;
  const named = <Row extends { readonly link: number | null }>(row: Row) => ({
    ...row,
    link: row.link === null ? null : addresses[row.link],
  });
  const { stays, requests } = model(crowd.seeds);
  const [found] = await query<{ stored: { stays: object[]; requests: object[] } }>(STORED);
  expect(sorted(found?.stored.stays ?? [])).toEqual(sorted(stays.map(named)));
  expect(sorted(found?.stored.requests ?? [])).toEqual(sorted(requests.map(named)));
}

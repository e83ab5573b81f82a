import { createContext, useContext } from "react";
import { useSearch } from "wouter";
import type { Role } from "../api/gql/graphql.js";

/** What every page knows of the channel that is shown, and of the user in it. */
export interface ShownChannel {
  readonly channelId: number;
  /** Undefined until the list of channels is loaded. */
  readonly title: string | undefined;
  readonly username: string | null | undefined;
  /** The time zone whose days are meant. Until it is loaded, that of the last visit. */
  readonly timeZone: string;
  /** Undefined until it is loaded. */
  readonly role: Role | undefined;
  readonly canEdit: boolean;
  readonly isAdmin: boolean;
}

export const ChannelContext = createContext<ShownChannel | null>(null);

export function useChannel(): ShownChannel {
  const channel = useContext(ChannelContext);
  if (channel === null) throw new Error("A page is shown outside of a channel.");
  return channel;
}

/** The parameter of an address that names the channel by its Telegram chat id. */
const CHANNEL_PARAMETER = "channel";

/** The channel in the address as it stands there; null if there is none. */
export const useAskedChannel = (): string | null => new URLSearchParams(useSearch()).get(CHANNEL_PARAMETER);

/** The address of a page for a channel. */
export const addressFor = (path: string, channelId: number): string =>
  `${path}?${CHANNEL_PARAMETER}=${channelId}`;

/** The key in localStorage under which the last channel is kept, so that its page can be loaded at once. */
const KEY = "invite-links-channel";

/** The key of the time zone of that channel, whose days a page asks for before the channel is loaded. */
const ZONE_KEY = "invite-links-time-zone";
const UNKNOWN_ZONE = "UTC";

export function rememberChannel(channelId: number, timeZone = UNKNOWN_ZONE): void {
  localStorage.setItem(KEY, String(channelId));
  localStorage.setItem(ZONE_KEY, timeZone);
}

/** The time zone of a channel that is not loaded yet; UTC unless it is the last channel. */
export const rememberedZone = (channelId: number): string =>
  (channelId === rememberedChannel() && localStorage.getItem(ZONE_KEY)) || UNKNOWN_ZONE;

export function rememberedChannel(): number | null {
  const id = Number(localStorage.getItem(KEY));
  return Number.isSafeInteger(id) && id !== 0 ? id : null;
}

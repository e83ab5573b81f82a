import { useContext, useEffect } from "react";
import { ChannelContext } from "./channel.js";

/** Names what is shown in the title of the tab, before the channel. */
export function useTitle(name: string): void {
  const channel = useContext(ChannelContext)?.title;
  useEffect(() => {
    document.title = [name, channel, "invite-links"].filter((part) => part !== undefined).join(" · ");
  }, [name, channel]);
}

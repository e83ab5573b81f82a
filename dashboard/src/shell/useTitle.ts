import { useContext, useEffect } from "react";
import { ChannelContext } from "./channel.js";

/** Names what is shown in the title of the tab, before the channel. @param name undefined leaves the title as it is */
export function useTitle(name: string | undefined): void {
  const channel = useContext(ChannelContext)?.title;
  useEffect(() => {
    if (name === undefined) return;
    document.title = [name, channel, "invite-links"].filter((part) => part !== undefined).join(" · ");
  }, [name, channel]);
}

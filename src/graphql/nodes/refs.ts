import type { Channel } from "../../domain/channels/channel.js";
import type { InviteLink } from "../../domain/links/inviteLink.js";
import type { Tag, TagType } from "../../domain/tags/tag.js";
import { builder } from "../builder/builder.js";

// The types that refer to each other. Each is implemented in a file of its own.
export const ChannelRef = builder.objectRef<Channel>("Channel");
export const InviteLinkRef = builder.objectRef<InviteLink>("InviteLink");
export const TagRef = builder.objectRef<Tag>("Tag");
export const TagTypeRef = builder.objectRef<TagType>("TagType");

// What programs import from the package: neither the server nor its database is loaded by it.
export {
  type ChatInviteLink,
  createInvitationLink,
  type InvitationLinkOptions,
  type TelegramAnswer,
} from "./telegram/invitationLink.js";
export { TelegramConnectionError } from "./telegram/singleCall.js";

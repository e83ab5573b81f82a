// The public interface of the package. Importing it loads neither the server nor a database.
export {
  type ChatInviteLink,
  createInvitationLink,
  type InvitationLinkOptions,
  type TelegramAnswer,
} from "./telegram/invitationLink.js";
export { TelegramConnectionError } from "./telegram/singleCall.js";

// A program that uses the installed package. It is type-checked against the package's declarations.
import { createInvitationLink, type TelegramAnswer, TelegramConnectionError } from "invite-links";

function say(answer: TelegramAnswer): string {
  if (!answer.ok) {
    const wait: number | undefined = answer.parameters?.retry_after;
    return `${answer.error_code} ${answer.description} ${wait ?? ""}`;
  }
  const { invite_link, creator, expire_date, member_limit } = answer.result;
  const numbers: (number | undefined)[] = [expire_date, member_limit, creator.id];
  return [invite_link, ...numbers].join(" ");
}

export async function make(token: string, apiRoot?: string): Promise<string> {
  try {
    await createInvitationLink({ token, chat: -1001234567890, expire: 1, apiRoot });
    await createInvitationLink({ token, chat: "@news", expire: "2030-01-31", limit: 5 });
    const signal = AbortSignal.timeout(5000);
    return say(await createInvitationLink({ token, chat: "@news", title: "A", expire: new Date(), signal }));
  } catch (error) {
    if (error instanceof TelegramConnectionError && error.outcomeUnknown) return "perhaps";
    throw error;
  }
}

// @ts-expect-error the chat is missing
void createInvitationLink({ token: "" });
// @ts-expect-error a limit is a number
void createInvitationLink({ token: "", chat: 1, limit: "5" });
// @ts-expect-error there is no such option
void createInvitationLink({ token: "", chat: 1, pace: 1 });
// @ts-expect-error only an answer with ok true has a result
export const unchecked = (answer: TelegramAnswer) => answer.result;

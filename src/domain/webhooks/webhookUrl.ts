import { setTimeout as delay } from "node:timers/promises";
import type { Problems } from "../shared/errors.js";
import { foldName, isStorable } from "../shared/text.js";
import { allowedAddresses, isLocalName, literalOf, PrivateAddressError, type Resolve } from "./addresses.js";
import { isMacroName, MACROS, macrosOf, replaceMacros, tagTypeOf } from "./macros.js";
import type { WebhookFormat } from "./webhook.js";

const MAX_LENGTH = 2048;
/** How long creating a webhook waits for the name to be looked up, in milliseconds. */
const LOOKUP_MS = 3000;

const PRIVATE = "Must not lead to a private or reserved network.";

export interface UrlRules {
  /** Whether http:// and private addresses are allowed (WEBHOOK_ALLOW_PRIVATE). */
  readonly allowPrivate: boolean;
  /** Of all tag types. */
  readonly tagTypeNames: readonly string[];
  readonly resolve: Resolve;
}

function checkMacros(url: string, tagTypeNames: readonly string[], problems: Problems): void {
  const known = new Set(tagTypeNames.map(foldName));
  for (const macro of new Set(macrosOf(url))) {
    const type = tagTypeOf(macro);
    if (type !== null && !known.has(foldName(type)))
      problems.add("url", `There is no tag type ${JSON.stringify(type)} for the macro {${macro}}.`);
    if (type === null && !isMacroName(macro))
      problems.add("url", `There is no macro {${macro}}. The macros are ${MACROS.join(", ")} and tag:TYPE.`);
  }
}

/** Who is called: the part of an address that a macro must not change. */
const receiverOf = ({ protocol, host, username, password }: URL): string =>
  [protocol, host, username, password].join("\n");

/** Parses an address. @returns null if it is none, or if its receiver depends on a macro. */
function parse(text: string, format: WebhookFormat): URL | null {
  if (format === "STANDARD") return URL.canParse(text) ? new URL(text) : null;
  const [one, other] = ["1", "a"].map((value) => replaceMacros(text, () => value));
  if (one === undefined || other === undefined || !URL.canParse(one) || !URL.canParse(other)) return null;
  return receiverOf(new URL(one)) === receiverOf(new URL(other)) ? new URL(one) : null;
}

/** Whether a name is known to lead to private addresses alone. A name that cannot be looked up now may be by and by. */
async function isKnownPrivate(url: URL, { allowPrivate, resolve }: UrlRules): Promise<boolean> {
  const late = new AbortController();
  const found = allowedAddresses(url, allowPrivate, resolve).then(
    () => false,
    (error: unknown) => error instanceof PrivateAddressError,
  );
  const timeout = delay(LOOKUP_MS, false, { signal: late.signal }).catch(() => false);
  const isPrivate = await Promise.race([found, timeout]);
  late.abort();
  return isPrivate;
}

/** Checks the address of a webhook. What is wrong is added to `problems`. */
export async function checkUrl(
  text: string,
  format: WebhookFormat,
  rules: UrlRules,
  problems: Problems,
): Promise<void> {
  if (text.length > MAX_LENGTH) return problems.add("url", `Must have at most ${MAX_LENGTH} characters.`);
  // A tag type's name may contain spaces.
  const outside = format === "POSTBACK" ? replaceMacros(text, () => "") : text;
  if (!isStorable(text) || /[\s\p{Cc}]/u.test(outside))
    return problems.add("url", "Must not contain spaces, control characters or broken Unicode.");
  if (format === "POSTBACK") checkMacros(text, rules.tagTypeNames, problems);
  const url = parse(text, format);
  const protocols = rules.allowPrivate ? ["https:", "http:"] : ["https:"];
  if (url === null || !protocols.includes(url.protocol)) {
    const beginnings = protocols.map((protocol) => `${protocol}//`).join(" or ");
    return problems.add(
      "url",
      `Must be a complete address that begins with ${beginnings} and whose host and port contain no macro.`,
    );
  }
  if (url.username !== "" || url.password !== "")
    return problems.add("url", "Must not contain a user name or a password.");
  if (rules.allowPrivate) return;
  // The address of a name is judged again at each attempt, where the connection is made.
  if (isLocalName(url) || (await isKnownPrivate(url, rules))) {
    const kind = literalOf(url) ? PRIVATE : `${PRIVATE} This name does.`;
    problems.add("url", kind);
  }
}

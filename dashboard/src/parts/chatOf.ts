/**
 * The chat as `connectChannel` takes it: an id or an @username.
 * @param typed also what people paste: a name without its @, the address of a chat, or that of a post in a private one
 */
export function chatOf(typed: string): string {
  const text = typed.trim();
  const [, privateId] = /\b(?:t|telegram)\.me\/c\/(\d+)/i.exec(text) ?? [];
  if (privateId !== undefined) return `-100${privateId}`;
  const [, name] =
    /^(?:(?:https?:\/\/)?(?:t|telegram)\.me\/(?:s\/)?)?([a-z]\w{2,31})(?:[/?#].*)?$/i.exec(text) ?? [];
  return name === undefined ? text : `@${name}`;
}

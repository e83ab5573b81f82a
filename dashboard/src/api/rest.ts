import type { Credentials } from "./client.js";

/** What a refusal says: one text, or one for each thing that is wrong. */
interface Refusal {
  readonly detail?: string | readonly { readonly msg: string }[];
}

/**
 * Asks one of the REST calls that send and receive files, which GraphQL has not.
 * @throws Error that says why the server refused
 */
export async function askRest(
  path: string,
  { getToken, onRefused }: Pick<Credentials, "getToken" | "onRefused">,
  init: RequestInit = {},
): Promise<Response> {
  const token = getToken();
  const response = await fetch(path, {
    ...init,
    headers: { ...init.headers, authorization: `Bearer ${token}` },
  });
  if (response.ok) return response;
  if (response.status === 401) onRefused(token);
  const { detail }: Refusal = await response.json().catch(() => ({}));
  const texts = typeof detail === "string" ? [detail] : (detail ?? []).map(({ msg }) => msg);
  throw new Error(texts.join(" ") || `The server answered ${response.status}.`);
}

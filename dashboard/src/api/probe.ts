export type Answer = "accepted" | "refused" | "unreachable";

/** Statuses of a server, or of a proxy before it, that cannot answer at the moment. */
export const isDown = (status: number): boolean => status === 502 || status === 503 || status === 504;

/** How long the server may take to answer, in milliseconds. The next attempt waits for this one. */
const ANSWER_MS = 10_000;

/** Asks the server whether it answers, and whether it accepts a token, with the cheapest query. */
export async function probe(token: string): Promise<Answer> {
  try {
    const { status } = await fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: "{ __typename }" }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (status === 401) return "refused";
    return isDown(status) ? "unreachable" : "accepted";
  } catch {
    return "unreachable";
  }
}

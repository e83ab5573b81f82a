/** What takes a statement runs when it is first asked for; whoever asks again gets the same. */
export function lazy<T>(run: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= run();
    return result;
  };
}

/** Runs `run` at the first call, and gives the same promise to every call. */
export function lazy<T>(run: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= run();
    return result;
  };
}

/**
 * The data of a query to show. While other variables are loaded, the data of the ones before stays, so that the layout does
 * not jump; under an error it would pass for what was asked for.
 */
export const shownData = <Data>(query: {
  readonly data?: Data | undefined;
  readonly previousData?: Data | undefined;
  readonly error?: Error | undefined;
}): Data | undefined => query.data ?? (query.error ? undefined : query.previousData);

/** Whether what is shown is not what was asked for, and is on its way. */
export const isAwaited = (query: { readonly data?: unknown; readonly error?: Error | undefined }): boolean =>
  query.data === undefined && !query.error;

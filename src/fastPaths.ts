/**
 * The switches of the server's fast paths. Each fast path gives the same result as its plain twin, a complete and simple
 * implementation with the same signature. The first lines of its file, and a note in docs/decisions/, say what it does, what
 * it saves and how it is removed.
 */
export interface FastPaths {
  /** graphql/executor/planned/: a prepared plan executes queries. Plain twin: graphqlJsExecutor.ts. */
  readonly plannedExecutor: boolean;
  /** http/graphql/fastPath.ts: ordinary requests are executed without Yoga. Plain twin: Yoga. */
  readonly yogaShortcut: boolean;
  /** graphql/executor/planned/responseMemo.ts: a cached tag keeps its JSON. Plain twin: noResponseMemo in the same file. */
  readonly responseMemo: boolean;
  /**
   * domain/tags/tagCache.ts, with cachedTagLoaders.ts and domain/links/query/groupProof.ts: tags are kept between
   * requests. Plain twins: domain/tags/tagLoaders.ts and domain/links/query/groupCheck.ts.
   */
  readonly tagCache: boolean;
  /** domain/access/callerCache.ts: callers are kept between requests. Plain twin: one statement for each request. */
  readonly callerCache: boolean;
  /** database/pipelinedSessions.ts: frequent statements share a few sessions. Plain twin: poolOnly.ts. */
  readonly pipelinedSessions: boolean;
  /** domain/links/counts/bitmaps.ts: links are counted by bits. Plain twin: rowCounts.ts. */
  readonly bitmaps: boolean;
  /**
   * domain/links/query/tagMergeScan.ts: a page under tag groups merges index scans. Plain twin:
   * domain/paging/filteredScan.ts.
   */
  readonly tagMergeScan: boolean;
  /** domain/links/query/dayOffsets.ts: a numbered page skips whole days. Plain twin: domain/paging/rowOffset.ts. */
  readonly dayOffsets: boolean;
}

const ALL: FastPaths = {
  plannedExecutor: true,
  yogaShortcut: true,
  responseMemo: true,
  tagCache: true,
  callerCache: true,
  pipelinedSessions: true,
  bitmaps: true,
  tagMergeScan: true,
  dayOffsets: true,
};

/**
 * @param off comma-separated names of the fast paths to turn off, or `all`
 * @throws Error for a name that no fast path has
 */
function readFastPaths(off: string): FastPaths {
  const names = off === "all" ? Object.keys(ALL) : off.split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !Object.hasOwn(ALL, name));
  if (unknown !== undefined) throw new Error(`FAST_PATHS_OFF: there is no fast path named ${unknown}`);
  return { ...ALL, ...Object.fromEntries(names.map((name) => [name, false])) };
}

/** The environment variable FAST_PATHS_OFF is for the tests and the benchmark only. */
export const fastPaths: FastPaths = readFastPaths(process.env["FAST_PATHS_OFF"] ?? "");

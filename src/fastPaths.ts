/**
 * The fast paths of the server: faster ways to the same result, each beside its plain twin, which is complete. What each
 * of them is, what it brings and how it is removed stands at the head of its file and in docs/decisions/.
 */
export interface FastPaths {
  /** graphql/executor/planned/: queries are executed by a prepared plan; plain twin: graphql-js. */
  readonly plannedExecutor: boolean;
  /** http/graphql/fastPath.ts: an ordinary request is answered without Yoga; plain twin: Yoga. */
  readonly yogaShortcut: boolean;
  /** graphql/executor/planned/responseMemo.ts: a cached tag keeps its JSON; plain twin: it is written each time. */
  readonly responseMemo: boolean;
  /** domain/tags/tagCache.ts: tags are remembered between requests; plain twin: the tag loader. */
  readonly tagCache: boolean;
  /** domain/access/callerCache.ts: callers are remembered between requests; plain twin: a statement for each request. */
  readonly callerCache: boolean;
  /** database/pipelinedSessions.ts: frequent statements share two sessions; plain twin: the pool. */
  readonly pipelinedSessions: boolean;
  /** domain/links/counts/bitmaps.ts: counting by bits; plain twin: counting rows. */
  readonly bitmaps: boolean;
  /** domain/links/query/tagMergeScan.ts: a page under tag groups merges index scans; plain twin: one filtered scan. */
  readonly tagMergeScan: boolean;
  /** domain/links/query/dayOffsets.ts: a numbered page skips whole days; plain twin: OFFSET. */
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
 * The tests and the benchmark turn fast paths off by FAST_PATHS_OFF, a list of names or `all`; nobody else has a reason
 * to.
 * @throws Error for a name that no fast path has.
 */
function readFastPaths(off: string): FastPaths {
  const names = off === "all" ? Object.keys(ALL) : off.split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !(name in ALL));
  if (unknown !== undefined) throw new Error(`FAST_PATHS_OFF names ${unknown}, which is no fast path`);
  return { ...ALL, ...Object.fromEntries(names.map((name) => [name, false])) };
}

export const fastPaths: FastPaths = readFastPaths(process.env["FAST_PATHS_OFF"] ?? "");

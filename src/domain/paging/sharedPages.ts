import DataLoader from "dataloader";
import type { Sql } from "sql-template-tag";
import { anyOf, type PageSource, type Slice } from "./page.js";

/** Reads the lists of several keys in one statement. Both methods answer in the order of the keys. */
export interface ListsOfKeys<Key, Row> {
  /** Equal keys have equal ids. */
  idOf(key: Key): string;
  rows(keys: readonly Key[], slice: Slice): Promise<Row[][]>;
  exists(keys: readonly Key[], condition: Sql): Promise<boolean[]>;
}

/** Equal for conditions with the same text and values. */
const keyOf = (condition: Sql): string => JSON.stringify([condition.text, condition.values]);

const keyOfSlice = ({ ranges, orderBy, limit, offset }: Slice): string =>
  `${limit} ${offset} ${orderBy.text} ${keyOf(anyOf(ranges))}`;

/** Pages of the lists of several keys, for one request. Equal reads of several lists at the same time share one statement. */
export class SharedPages<Key, Row> {
  readonly #lists: ListsOfKeys<Key, Row>;
  readonly #rows = new Map<string, DataLoader<Key, Row[], string>>();
  readonly #existence = new Map<string, DataLoader<Key, boolean, string>>();

  constructor(lists: ListsOfKeys<Key, Row>) {
    this.#lists = lists;
  }

  source(key: Key): PageSource<Row> {
    return {
      rows: (slice) => this.#rowsLoader(slice).load(key),
      exists: (ranges) => this.#existenceLoader(anyOf(ranges)).load(key),
    };
  }

  /** Each slice has a loader of its own, so that a batch can only hold keys of that slice. */
  #rowsLoader(slice: Slice): DataLoader<Key, Row[], string> {
    const key = keyOfSlice(slice);
    const loader = this.#rows.get(key) ?? this.#loader((keys) => this.#lists.rows(keys, slice));
    this.#rows.set(key, loader);
    return loader;
  }

  #existenceLoader(condition: Sql): DataLoader<Key, boolean, string> {
    const key = keyOf(condition);
    const loader = this.#existence.get(key) ?? this.#loader((keys) => this.#lists.exists(keys, condition));
    this.#existence.set(key, loader);
    return loader;
  }

  #loader<Value>(load: (keys: readonly Key[]) => Promise<Value[]>): DataLoader<Key, Value, string> {
    return new DataLoader<Key, Value, string>(load, { cacheKeyFn: (key) => this.#lists.idOf(key) });
  }
}

import type { Database } from "../database/database.js";
import { statement } from "../database/statement.js";
import type { Hold, HoldStore } from "../telegram/holds.js";

interface Row {
  readonly method: string;
  readonly chat: string;
  readonly milliseconds: number;
}

/** Stores the holds of all servers in the database. Times are by the database's clock, since servers' clocks may differ. */
export class DatabaseHoldStore implements HoldStore {
  readonly #database: Database;
  readonly #onError: (error: unknown) => void;

  /** @param onError is called when holds could not be stored. */
  constructor(database: Database, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
  }

  async live(): Promise<readonly Hold[]> {
    const rows = await this.#database.query<Row>(
      statement("telegram_holds_live")`
        select method, chat, (extract(epoch from until - clock_timestamp()) * 1000)::float8 as milliseconds
        from telegram_hold where until > clock_timestamp()`,
      "frequent and quick",
    );
    return rows.map(({ method, chat, milliseconds }) => ({
      method: method === "" ? null : method,
      chat: chat === "" ? null : chat,
      milliseconds,
    }));
  }

  async add(holds: readonly Hold[]): Promise<readonly Hold[]> {
    // All servers lock rows in the same order, so that no deadlock is possible.
    const rows = holds
      .map(({ method, chat, milliseconds }) => ({ method: method ?? "", chat: chat ?? "", milliseconds }))
      .sort((a, b) => (`${a.method} ${a.chat}` < `${b.method} ${b.chat}` ? -1 : 1));
    try {
      await this.#database.query(
        statement("telegram_holds_prune")`delete from telegram_hold where until < now()`,
      );
      await this.#database.query(statement("telegram_holds_add")`
        insert into telegram_hold (method, chat, until)
        select method, chat, clock_timestamp() + milliseconds * interval '1 millisecond'
        from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given (method text, chat text, milliseconds float8)
        on conflict (method, chat) do update set until = greatest(telegram_hold.until, excluded.until)`);
    } catch (error) {
      this.#onError(error);
      throw error;
    }
    return this.live();
  }
}

import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";
import type { Database } from "../database/database.js";
import { newSecret } from "../domain/access/secrets.js";
import { insertFirstToken, insertOwnToken, isKnownSecret } from "../domain/access/tokens.js";

async function readToken(file: string): Promise<string | null> {
  try {
    const text = (await readFile(file, "utf8")).trim();
    return text === "" ? null : text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** The sandbox's own token, which is shown at every start: kept in a file that only its owner can read. */
export async function sandboxToken(database: Database, file: string): Promise<string> {
  const kept = await readToken(file);
  if (kept !== null && (await isKnownSecret(database, kept))) return kept;
  // Another database, or a token revoked meanwhile: a new one.
  const secret = newSecret();
  await insertOwnToken(database, "Sandbox", secret);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFileAtomic(file, `${secret}\n`, { mode: 0o600 });
  return secret;
}

/** The first token of an installation with a real bot, to be shown this once; null where there is one already. */
export async function firstToken(database: Database): Promise<string | null> {
  const secret = newSecret();
  return (await insertFirstToken(database, secret)) ? secret : null;
}

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

/** Returns the sandbox's token, which every start shows. The token is kept in a file that only its owner can read. */
export async function sandboxToken(database: Database, file: string): Promise<string> {
  const kept = await readToken(file);
  if (kept !== null && (await isKnownSecret(database, kept))) return kept;
  // The file belongs to another database, or the token has been revoked.
  const secret = newSecret();
  await insertOwnToken(database, "Sandbox", secret);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFileAtomic(file, `${secret}\n`, { mode: 0o600 });
  return secret;
}

/** Creates the first token of an installation with a real bot. @returns the secret; null if any token exists already. */
export async function firstToken(database: Database): Promise<string | null> {
  const secret = newSecret();
  return (await insertFirstToken(database, secret)) ? secret : null;
}

import type { Database } from "../../../src/database/database.js";
import { exportLinks } from "../../../src/domain/transfer/exportLinks.js";
import {
  type ImportCounts,
  type ImportOptions,
  LinkImport,
  type SkippedRow,
} from "../../../src/domain/transfer/importLinks.js";
import { FORMATS, type Format, readFileOfLinks } from "../../../src/import-export/files.js";

export const CHAT = -1001234567890;
export const CALLER = { key: "test", chatIds: null };

/** A file's bytes, cut into chunks at arbitrary places. */
export async function* bytesOf(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function exportText(database: Database, format: Format, chatId = CHAT): Promise<string> {
  let text = "";
  await exportLinks(database, chatId, async (links) => {
    for await (const part of FORMATS[format](links)) text += part;
  });
  return text;
}

export interface Imported {
  readonly counts: ImportCounts;
  readonly skipped: readonly SkippedRow[];
}

export const newImport = (database: Database, options: Partial<ImportOptions> = {}): LinkImport =>
  new LinkImport(database, CALLER, {
    chatId: null,
    update: false,
    dryRun: false,
    onSkipped: () => {},
    onProgress: () => {},
    ...options,
  });

export async function importText(
  database: Database,
  text: string,
  options: Partial<ImportOptions> = {},
): Promise<Imported> {
  const skipped: SkippedRow[] = [];
  const running = newImport(database, { onSkipped: (row) => skipped.push(row), ...options });
  await running.run(readFileOfLinks(bytesOf(text, 1000)));
  return { counts: running.counts, skipped };
}

export const jsonLines = (...records: readonly object[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("");

/** Empties the tables of channels, tags and links. */
export async function empty(database: Database): Promise<void> {
  await database.prisma.$executeRawUnsafe("truncate channel, tag_type, audit_entry cascade");
}

/** The number of rows in each table. */
export async function rowsOf({ prisma }: Database): Promise<Record<string, number>> {
  return {
    channels: await prisma.channel.count(),
    types: await prisma.tagType.count(),
    tags: await prisma.tag.count(),
    links: await prisma.inviteLink.count(),
    carried: await prisma.inviteLinkTag.count(),
    audited: await prisma.auditEntry.count(),
  };
}

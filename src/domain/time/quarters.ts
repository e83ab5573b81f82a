import type { Instant } from "../../database/instant.js";

const QUARTER_MS = 900_000;
const QUARTERS_PER_DAY = 96;

/** The quarter of an hour that an instant in milliseconds is in: Unix seconds divided by 900. */
export const quarterAt = (milliseconds: number): number => Math.floor(milliseconds / QUARTER_MS);

/** The first quarter of an hour that begins at an instant in milliseconds or later. */
export const quarterFrom = (milliseconds: number): number => Math.ceil(milliseconds / QUARTER_MS);

/** The beginning of a quarter of an hour, in milliseconds. */
export const startOfQuarter = (quarter: number): number => quarter * QUARTER_MS;

export const instantOf = (milliseconds: number): Instant => new Date(milliseconds).toISOString();

/** The number of quarters of an hour in a number of days of 24 hours. */
export const quartersOfDays = (days: number): number => days * QUARTERS_PER_DAY;

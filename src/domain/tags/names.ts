import { failureOf } from "../../database/failures.js";
import { type Problems, ValidationError } from "../shared/errors.js";
import { tidyName } from "../shared/text.js";

const MAX_CODE_POINTS = 64;

/** The name of a tag or of a type, tidied; what is wrong with it is said in `problems`. */
export const readName = (text: string, problems: Problems, field = "name"): string =>
  tidyName(text, MAX_CODE_POINTS, field, problems);

/** Runs what may find a name taken, and says so of `field`. */
export async function refusingTwins<T>(
  work: Promise<T>,
  message: string,
  field: "name" | "tagTypeId" = "name",
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw failureOf(error).kind === "uniqueViolation" ? new ValidationError([{ field, message }]) : error;
  }
}

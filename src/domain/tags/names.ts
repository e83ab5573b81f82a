import { failureOf } from "../../database/failures.js";
import { type Problems, ValidationError } from "../shared/errors.js";
import { tidyName } from "../shared/text.js";

const MAX_CODE_POINTS = 64;

/** Tidies the name of a tag or a tag type. Its errors are added to `problems`. */
export const readName = (text: string, problems: Problems, field = "name"): string =>
  tidyName(text, MAX_CODE_POINTS, field, problems);

/** Awaits a write. @throws ValidationError with `message` for `field` if the write failed because a name is taken. */
export async function refuseTakenName<T>(
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

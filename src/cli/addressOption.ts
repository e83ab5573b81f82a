import { InvalidArgumentError } from "commander";

/** Parses the base address of an API. */
export function addressOption(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError("It must be an http:// or https:// address.");
  if (url.username || url.password || url.search || url.hash) {
    throw new InvalidArgumentError(
      "It must be the base address of the API, without user name, password, query and fragment.",
    );
  }
  return url;
}

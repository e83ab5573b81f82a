import { type Config, ConfigurationError, readConfig } from "./config.js";

function configured(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

const config = configured();
// Loaded only now, so that whoever mistyped a variable is told at once.
const { run } = await import("./process.js");
await run(config);

import { type Config, ConfigurationError, readConfig, secretsOf } from "./config.js";

function configOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

const config = configOrExit();
// Imported after the check, so that a mistyped variable is reported before the server's code is loaded.
const { run } = await import("./process.js");
await run(config, secretsOf(process.env));

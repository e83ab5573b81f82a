import { Command } from "commander";

const HELP = `
The server is set up by environment variables alone:
  PORT, HOST               where to listen (default: 4000, 127.0.0.1); port 0 picks a free one
  DATABASE_URL             a PostgreSQL server, 14 or newer (default: embedded)
  DATABASE_DIRECT_URL      the same database without a pooler, for migrations (default: DATABASE_URL)
  DATABASE_POOL            database sessions for requests at the most (default: 10)
  DATA_DIR                 the embedded databases' folder (default: ./data)
  TELEGRAM_BOT_TOKEN       the helper bot (default: none, a local sandbox of Telegram)
  TELEGRAM_SANDBOX         on asks for the sandbox where NODE_ENV is production
  TELEGRAM_API_ROOT        another Bot API server (default: https://api.telegram.org)
  TELEGRAM_TIMEOUT_MS      how long one call to Telegram may take (default: 10000)
  TELEGRAM_UPDATES, TELEGRAM_WEBHOOK_URL, TELEGRAM_WEBHOOK_SECRET
                           how Telegram's updates arrive: polling, webhook or off (default: polling)
  ADMIN_TOKEN              an API token with the role ADMIN (default: made and shown at the first start)
  NODE_ENV                 development, production or test (default: development)
  GRAPHIQL                 on or off (default: on, in production off)
  CORS_ORIGINS             comma-separated origins that browsers may call from (default: none)
  TRUST_PROXY              proxies whose X-Forwarded-For is believed (default: none)
  SHUTDOWN_DELAY_MS        how long /readyz says 503 after SIGTERM before the server stops listening
                           (default: 0, in production 5000)
  LOG_LEVEL                trace, debug, info, warn, error, fatal or silent (default: info)
  CACHE                    off remembers neither tokens nor tags between requests (default: on)

Examples:
  $ invite-links serve
  $ PORT=8080 DATA_DIR=/var/lib/invite-links TELEGRAM_BOT_TOKEN=123456789:AA… invite-links serve`;

export const serveCommand = (): Command =>
  new Command("serve")
    .description(
      "Start the server; without any settings on http://127.0.0.1:4000/graphql, with a sandbox of Telegram.",
    )
    .addHelpText("after", HELP)
    .action(async () => {
      // The process becomes the server's.
      await import("../main.js");
    });

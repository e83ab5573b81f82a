import { Command } from "commander";

const HELP = `
The server is configured by environment variables:
  PORT, HOST               the address to listen on (default: 4000, 127.0.0.1); port 0 picks a free port
  DATABASE_URL             a PostgreSQL server, version 14 or newer (default: the embedded database)
  DATABASE_DIRECT_URL      the same database without a pooler, for migrations (default: DATABASE_URL)
  DATABASE_REPLICA_URL     a streaming replica that answers reads while the primary is away (default: none)
  DATABASE_POOL            the most database sessions for requests (default: 10)
  DATA_DIR                 the folder of the embedded databases (default: ./data)
  TELEGRAM_BOT_TOKEN       the token of the helper bot (default: none; a local sandbox replaces Telegram)
  TELEGRAM_SANDBOX         on allows the sandbox although NODE_ENV is production; quiet is the same without people who
                           join and leave by themselves
  TELEGRAM_API_ROOT        another Bot API server (default: https://api.telegram.org)
  TELEGRAM_TIMEOUT_MS      the longest time of a call to Telegram, in milliseconds (default: 10000)
  TELEGRAM_UPDATES, TELEGRAM_WEBHOOK_URL, TELEGRAM_WEBHOOK_SECRET
                           how Telegram's updates are received: polling, webhook or off (default: polling)
  EVENTS_KEPT_DAYS         for how many days the persons of past member events are kept (default: for ever)
  WEBHOOK_ALLOW_PRIVATE    whether webhooks may go to http:// and to private addresses: on or off (default: off)
  ADMIN_TOKEN              an API token with the role ADMIN, of 24 characters or more
                           (default: created and shown at the first start)
  RATE_LIMIT               the cost that a token may spend in a minute (default: no limit)
  TRUSTED_DOCUMENTS        a JSON file of { hash: document }: the only GraphQL documents that run (default: any)
  NODE_ENV                 development, production or test (default: development)
  GRAPHIQL                 whether GraphiQL is served: on or off (default: on, in production off)
  CORS_ORIGINS             comma-separated origins that browsers may call from (default: none)
  TRUST_PROXY              addresses of proxies whose X-Forwarded-For is trusted (default: none)
  SHUTDOWN_DELAY_MS        how long requests are still served after SIGTERM while /readyz answers 503,
                           in milliseconds (default: 0, in production 5000)
  OTEL_EXPORTER_OTLP_ENDPOINT
                           an OpenTelemetry collector that gets traces, such as http://localhost:4318 (default: none);
                           docs/tracing.md has OpenTelemetry's other variables
  LOG_LEVEL                trace, debug, info, warn, error, fatal or silent (default: info)
  CACHE                    whether tokens and tags are cached: on or off (default: on)

Examples:
  $ invite-links serve
  $ PORT=8080 DATA_DIR=/var/lib/invite-links TELEGRAM_BOT_TOKEN=123456789:AA… invite-links serve`;

export const serveCommand = (): Command =>
  new Command("serve")
    .description(
      "Start the server. Without any settings it serves http://127.0.0.1:4000/graphql with a sandbox instead of Telegram.",
    )
    .addHelpText("after", HELP)
    .action(async () => {
      // main.ts turns this process into the server.
      await import("../main.js");
    });

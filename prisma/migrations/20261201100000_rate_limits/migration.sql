-- CreateTable
-- Unlogged: a crash may empty it, because it is worth at most a minute, and writing it to the log would cost more.
-- The library rate-limiter-flexible inserts its columns by their order.
CREATE UNLOGGED TABLE "rate_limit" (
    "key" TEXT NOT NULL,
    "points" INTEGER NOT NULL,
    "expire" BIGINT NOT NULL,

    CONSTRAINT "rate_limit_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "telegram_hold" (
    "method" TEXT NOT NULL,
    "chat" TEXT NOT NULL,
    "until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "telegram_hold_pkey" PRIMARY KEY ("method","chat")
);

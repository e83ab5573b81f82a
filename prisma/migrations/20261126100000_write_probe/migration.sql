-- CreateTable
CREATE TABLE "write_probe" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),

    CONSTRAINT "write_probe_pkey" PRIMARY KEY ("id")
);

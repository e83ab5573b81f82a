-- CreateTable
CREATE TABLE "link_change" (
    "link_id" UUID NOT NULL,
    "owner_id" UUID,
    "maybe_edited" BOOLEAN NOT NULL DEFAULT false,
    "maybe_revoked" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "link_change_pkey" PRIMARY KEY ("link_id")
);

-- AddForeignKey
ALTER TABLE "link_change" ADD CONSTRAINT "link_change_link_id_fkey" FOREIGN KEY ("link_id") REFERENCES "invite_link"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE TABLE "unique_tasks" (
	"name" text NOT NULL,
	"key" text NOT NULL,
	"task_id" uuid NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"kept_until" timestamp with time zone NOT NULL,
	CONSTRAINT "unique_tasks_name_key_pk" PRIMARY KEY("name","key")
);
--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD COLUMN "is_existing" boolean;
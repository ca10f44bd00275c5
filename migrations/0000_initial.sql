CREATE TABLE "activity" (
	"width" integer NOT NULL,
	"starts_at" timestamp (3) with time zone NOT NULL,
	"name" text NOT NULL,
	"measure" text NOT NULL,
	"bucket" integer NOT NULL,
	"count" integer NOT NULL,
	CONSTRAINT "activity_width_starts_at_name_measure_bucket_pk" PRIMARY KEY("width","starts_at","name","measure","bucket")
);
--> statement-breakpoint
CREATE TABLE "attempts" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"task_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"error" json NOT NULL,
	"worker_id" uuid,
	"started_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"refused" json
);
--> statement-breakpoint
CREATE TABLE "paused_queues" (
	"name" text PRIMARY KEY NOT NULL,
	"paused_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "task_logs" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"task_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"message" text NOT NULL,
	"fields" json
);
--> statement-breakpoint
CREATE TABLE "tasks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"queue" text NOT NULL,
	"status" text NOT NULL,
	"input" json NOT NULL,
	"result" json,
	"error" json,
	"progress_fraction" double precision DEFAULT 0 NOT NULL,
	"progress_message" text,
	"attempt" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"crashes" smallint DEFAULT 0 NOT NULL,
	"is_isolated" boolean DEFAULT false NOT NULL,
	"max_retries" integer NOT NULL,
	"timeout_ms" integer NOT NULL,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"version" integer DEFAULT 0 NOT NULL,
	"run_at" timestamp (3) with time zone NOT NULL,
	"enqueued_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"worker_id" uuid,
	"cancel_requested_at" timestamp (3) with time zone,
	"replayed_from" uuid,
	"idempotency_key" text,
	"idempotency_fingerprint" text,
	"request_id" text,
	"traceparent" text,
	"parent_id" uuid,
	"callback_url" text,
	"callback_id" uuid
);
--> statement-breakpoint
CREATE TABLE "workers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"host" text NOT NULL,
	"pid" integer NOT NULL,
	"version" text NOT NULL,
	"queues" text[] NOT NULL,
	"concurrency" integer NOT NULL,
	"isolated_processes" integer DEFAULT 0 NOT NULL,
	"running" integer DEFAULT 0 NOT NULL,
	"processed" bigint DEFAULT 0 NOT NULL,
	"failed" bigint DEFAULT 0 NOT NULL,
	"leaked" integer DEFAULT 0 NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_beat_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"drain_requested_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_task_id_tasks_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."tasks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_logs" ADD CONSTRAINT "task_logs_task_id_tasks_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."tasks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "attempts_of_task" ON "attempts" USING btree ("task_id","attempt");--> statement-breakpoint
CREATE INDEX "task_logs_of_task" ON "task_logs" USING btree ("task_id","id");--> statement-breakpoint
CREATE INDEX "tasks_to_enqueue" ON "tasks" USING btree ("queue","is_isolated","run_at","id") WHERE enqueued_at is null and finished_at is null;--> statement-breakpoint
CREATE INDEX "tasks_enqueued" ON "tasks" USING btree ("queue","is_isolated","enqueued_at") WHERE finished_at is null and enqueued_at is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "tasks_idempotency_key" ON "tasks" USING btree ("idempotency_key") WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX "tasks_to_call_back" ON "tasks" USING btree ("finished_at") WHERE callback_url is not null and callback_id is null and finished_at is not null;--> statement-breakpoint
CREATE INDEX "tasks_live" ON "tasks" USING btree ("id") WHERE finished_at is null;--> statement-breakpoint
CREATE INDEX "tasks_unsuccessful" ON "tasks" USING btree ("id") WHERE finished_at is not null and (error is not null or cancel_requested_at is not null);--> statement-breakpoint
-- Storage settings, which the schema file cannot express. A row of "tasks" is written three times: submitted, claimed,
-- finished. Free space on its page lets the claim stay on that page (a HOT update). Early vacuuming keeps the table small
-- under load.
ALTER TABLE "tasks" SET (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.05);--> statement-breakpoint
-- Each heartbeat rewrites its row every second, and the table is small.
ALTER TABLE "workers" SET (fillfactor = 50);

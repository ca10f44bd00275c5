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
	"id" bigserial NOT NULL,
	"task_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"error" json NOT NULL,
	"worker_id" uuid,
	"started_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"refused" json,
	CONSTRAINT "attempts_task_id_id_pk" PRIMARY KEY("task_id","id")
) PARTITION BY RANGE ("task_id");
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"key" uuid PRIMARY KEY NOT NULL,
	"fingerprint" uuid NOT NULL,
	"task_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"run_at" timestamp (3) with time zone,
	"request_id" text,
	"traceparent" text
);
--> statement-breakpoint
CREATE TABLE "paused_queues" (
	"name" text PRIMARY KEY NOT NULL,
	"paused_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "queue_counts" (
	"id" smallint PRIMARY KEY NOT NULL,
	"counting" uuid,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"progressed_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"counted_at" timestamp (3) with time zone,
	"took_ms" real DEFAULT 0 NOT NULL,
	"counts" json DEFAULT '[]'::json NOT NULL
);
--> statement-breakpoint
CREATE TABLE "retention_progress" (
	"rule" text PRIMARY KEY NOT NULL,
	"last_id" uuid NOT NULL
);
--> statement-breakpoint
CREATE TABLE "task_logs" (
	"id" bigserial NOT NULL,
	"task_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"message" text NOT NULL,
	"fields" json,
	CONSTRAINT "task_logs_task_id_id_pk" PRIMARY KEY("task_id","id")
) PARTITION BY RANGE ("task_id");
--> statement-breakpoint
CREATE TABLE "tasks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"worker_id" uuid,
	"request_uuid" uuid,
	"run_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"enqueued_at" timestamp (3) with time zone,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"cancel_requested_at" timestamp (3) with time zone,
	"attempt" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"max_retries" integer NOT NULL,
	"timeout_ms" integer NOT NULL,
	"version" integer DEFAULT 0 NOT NULL,
	"progress_fraction" real DEFAULT 0 NOT NULL,
	"crashes" smallint DEFAULT 0 NOT NULL,
	"is_isolated" boolean DEFAULT false NOT NULL,
	"name" text NOT NULL,
	"queue" text NOT NULL,
	"status" text NOT NULL,
	"input" json NOT NULL,
	"result" json,
	"error" json,
	"progress_message" text,
	"tags" text[],
	"request_text" text,
	"replayed_from" uuid,
	"traceparent" text,
	"parent_id" uuid,
	"callback_url" text,
	"callback_id" uuid
) PARTITION BY RANGE ("id");
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
CREATE INDEX "attempts_refused" ON "attempts" USING btree ("task_id") WHERE refused is not null;--> statement-breakpoint
CREATE INDEX "idempotency_keys_by_age" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "tasks_to_enqueue" ON "tasks" USING btree ("queue","is_isolated","run_at","id") WHERE enqueued_at is null and finished_at is null;--> statement-breakpoint
CREATE INDEX "tasks_enqueued" ON "tasks" USING btree ("queue","is_isolated","enqueued_at") WHERE finished_at is null and enqueued_at is not null;--> statement-breakpoint
CREATE INDEX "tasks_to_call_back" ON "tasks" USING btree ("finished_at") WHERE callback_url is not null and callback_id is null and finished_at is not null;--> statement-breakpoint
CREATE INDEX "tasks_live" ON "tasks" USING btree ("id") WHERE finished_at is null;--> statement-breakpoint
CREATE INDEX "tasks_unsuccessful" ON "tasks" USING btree ("id") WHERE (finished_at is not null and (error is not null or cancel_requested_at is not null));--> statement-breakpoint
CREATE INDEX "tasks_late" ON "tasks" USING btree ("finished_at","id") WHERE finished_at - created_at > interval '1 hour';--> statement-breakpoint
-- What the schema file cannot express. The three tables of tasks have one partition each at first. The code divides it
-- (src/store/partitions/), and gives every partition its storage settings.
CREATE TABLE "tasks_future" PARTITION OF "tasks" FOR VALUES FROM (MINVALUE) TO (MAXVALUE);--> statement-breakpoint
CREATE TABLE "attempts_future" PARTITION OF "attempts" FOR VALUES FROM (MINVALUE) TO (MAXVALUE);--> statement-breakpoint
CREATE TABLE "task_logs_future" PARTITION OF "task_logs" FOR VALUES FROM (MINVALUE) TO (MAXVALUE);--> statement-breakpoint
-- Each heartbeat rewrites its row every second, and the table is small.
ALTER TABLE "workers" SET (fillfactor = 50);

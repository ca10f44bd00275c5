CREATE TABLE "held_tasks" (
	"task_id" uuid PRIMARY KEY NOT NULL,
	"group_id" bigint NOT NULL,
	"queue" text NOT NULL,
	"name" text NOT NULL,
	"concurrency_key" text NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"started_at" timestamp with time zone,
	"worker_id" uuid
);
--> statement-breakpoint
CREATE TABLE "limits" (
	"scope" text NOT NULL,
	"name" text NOT NULL,
	"concurrency" integer,
	"rate_limit" integer,
	"rate_per_ms" bigint,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "limits_scope_name_pk" PRIMARY KEY("scope","name")
);
--> statement-breakpoint
CREATE TABLE "rate_usage" (
	"scope" text NOT NULL,
	"name" text NOT NULL,
	"key" text NOT NULL,
	"at_ms" bigint NOT NULL,
	"count" integer NOT NULL,
	CONSTRAINT "rate_usage_scope_name_key_at_ms_pk" PRIMARY KEY("scope","name","key","at_ms")
);
--> statement-breakpoint
CREATE TABLE "task_groups" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"queue" text NOT NULL,
	"is_isolated" boolean NOT NULL,
	"priority" smallint NOT NULL,
	"name" text NOT NULL,
	"concurrency_key" text NOT NULL,
	"rate_key" text NOT NULL,
	"turn_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "priority" text;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "expires_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "held_tasks_waiting" ON "held_tasks" USING btree ("group_id","due_at","task_id") WHERE started_at is null;--> statement-breakpoint
CREATE INDEX "held_tasks_running" ON "held_tasks" USING btree ("name","concurrency_key") WHERE started_at is not null;--> statement-breakpoint
CREATE INDEX "held_tasks_running_by_queue" ON "held_tasks" USING btree ("queue") WHERE started_at is not null;--> statement-breakpoint
CREATE INDEX "held_tasks_expiring" ON "held_tasks" USING btree ("expires_at") WHERE expires_at is not null and started_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "task_groups_key" ON "task_groups" USING btree ("queue","is_isolated","priority","name","concurrency_key","rate_key");--> statement-breakpoint
CREATE INDEX "task_groups_turns" ON "task_groups" USING btree ("queue","is_isolated","name","priority","turn_at");--> statement-breakpoint
CREATE INDEX "task_groups_by_turn" ON "task_groups" USING btree ("queue","is_isolated","turn_at");--> statement-breakpoint
CREATE INDEX "task_groups_concurrency" ON "task_groups" USING btree ("name","concurrency_key");
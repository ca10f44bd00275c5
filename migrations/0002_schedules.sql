CREATE TABLE "schedule_runs" (
	"schedule" text NOT NULL,
	"tick_at" timestamp with time zone NOT NULL,
	"task_id" uuid NOT NULL,
	"is_manual" boolean DEFAULT false NOT NULL,
	CONSTRAINT "schedule_runs_schedule_tick_at_is_manual_pk" PRIMARY KEY("schedule","tick_at","is_manual")
);
--> statement-breakpoint
CREATE TABLE "schedule_versions" (
	"version" text PRIMARY KEY NOT NULL,
	"first_seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"applied_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "schedules" (
	"name" text PRIMARY KEY NOT NULL,
	"definition" text NOT NULL,
	"input" json NOT NULL,
	"cron" text,
	"time_zone" text,
	"every_seconds" integer,
	"overlap" text NOT NULL,
	"catch_up" text NOT NULL,
	"jitter_seconds" integer NOT NULL,
	"source" text NOT NULL,
	"version" integer DEFAULT 0 NOT NULL,
	"paused_at" timestamp (3) with time zone,
	"next_at" timestamp (3) with time zone NOT NULL,
	"waiting_at" timestamp (3) with time zone,
	"last_tick_at" timestamp (3) with time zone,
	"last_task_ids" uuid[] DEFAULT '{}' NOT NULL,
	"skipped" bigint DEFAULT 0 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "schedules_due" ON "schedules" USING btree ("next_at") WHERE paused_at is null;--> statement-breakpoint
CREATE INDEX "schedules_waiting" ON "schedules" USING btree ("waiting_at") WHERE waiting_at is not null and paused_at is null;
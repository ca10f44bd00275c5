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
CREATE TABLE "task_logs" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"task_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"message" text NOT NULL,
	"fields" json
);
--> statement-breakpoint
ALTER TABLE "workers" ADD COLUMN "drain_requested_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "task_logs" ADD CONSTRAINT "task_logs_task_id_tasks_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."tasks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "task_logs_of_task" ON "task_logs" USING btree ("task_id","id");--> statement-breakpoint
CREATE INDEX "tasks_live" ON "tasks" USING btree ("id") WHERE finished_at is null;--> statement-breakpoint
CREATE INDEX "tasks_unsuccessful" ON "tasks" USING btree ("id") WHERE finished_at is not null and (error is not null or cancel_requested_at is not null);
-- A task row is written three times in its life: submitted, claimed, finished. Room on its page lets the claim stay
-- there (HOT), and early vacuuming keeps the table small under a flood.
ALTER TABLE "tasks" SET (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.05);--> statement-breakpoint
-- Rewritten every second by each heartbeat, and tiny.
ALTER TABLE "workers" SET (fillfactor = 50);

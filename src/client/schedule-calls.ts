// Calls of the client that concern schedules.
import type { AnyProject } from './project.ts'
import { type Api, type CallOptions, type CallSettings, type SendCall, sendOnce } from './request.ts'
import type {
  Schedule,
  SchedulePage,
  ScheduleRequest,
  SchedulesQuery,
  ScheduleTick,
  ScheduleWithRuns,
} from './schedule.ts'
import type { AcceptedTask } from './task.ts'

export interface PreviewOptions extends CallOptions {
  /** Number of ticks: 1 to 100. Default: 20. */
  count?: number
}

export interface ScheduleCalls<Project extends AnyProject> {
  /** Lists schedules in the order of their names. Pass `next_cursor` as `cursor` to read further pages. */
  list(query?: SchedulesQuery, call?: CallOptions): Promise<SchedulePage>

  /** Reads a schedule with the last tasks that it has made or met. */
  get(name: string, call?: CallOptions): Promise<ScheduleWithRuns>

  /** Creates a schedule, or replaces the one with this name. A schedule of the code cannot be replaced. */
  put(name: string, schedule: ScheduleRequest<Project>, call?: CallOptions): Promise<Schedule>

  /** Deletes a schedule. A schedule of the code cannot be deleted. */
  delete(name: string, call?: CallOptions): Promise<void>

  /** The schedule makes no tasks until `resume`. */
  pause(name: string, call?: CallOptions): Promise<Schedule>

  /** Ends a pause. Ticks during the pause are not caught up. */
  resume(name: string, call?: CallOptions): Promise<Schedule>

  /**
   * Makes a task of the schedule now, also if the schedule is paused. If it meets a unique task, it resolves
   * with that one, and `is_existing` is true. The request is sent only once: a repeated one could make two
   * tasks.
   */
  run(name: string, call?: CallOptions): Promise<AcceptedTask>

  /** Returns the next ticks of a stored schedule, by its name, or of one that is not stored. */
  preview(
    schedule: string | ScheduleRequest<Project>,
    options?: PreviewOptions,
  ): Promise<{ data: ScheduleTick[] }>
}

export function createScheduleCalls<Project extends AnyProject>(
  { v1: { schedules } }: Api,
  send: SendCall,
): ScheduleCalls<Project> {
  const one = schedules[':name']
  return {
    list: ({ limit, cursor } = {}, call) => {
      const query = {
        ...(limit !== undefined && { limit: String(limit) }),
        ...(cursor !== undefined && { cursor }),
      }
      return send((settings) => schedules.$get({ query }, settings), call)
    },

    get: (name, call) => send((settings) => one.$get(path(name), settings), call),

    put: (name, json, call) => send((settings) => one.$put({ ...path(name), json }, settings), call),

    async delete(name, call) {
      await send(async (settings) => {
        const response = await one.$delete(path(name), settings)
        // The response has no body, which `send` would read.
        const { ok, status, headers } = response
        return ok ? { ok, status, headers, json: async () => null } : response
      }, call)
    },

    pause: (name, call) => send((settings) => one.pause.$post(path(name), settings), call),

    resume: (name, call) => send((settings) => one.resume.$post(path(name), settings), call),

    run: (name, call) => sendOnce((settings) => one.run.$post(path(name), settings), call),

    preview(schedule, { count, ...call } = {}) {
      const query = { ...(count !== undefined && { count: String(count) }) }
      const stored = (name: string) => (settings: CallSettings) =>
        one.preview.$get({ ...path(name), query }, settings)
      if (typeof schedule === 'string') return send(stored(schedule), call)
      return send((settings) => schedules.preview.$post({ query, json: schedule }, settings), call)
    },
  }
}

function path(name: string) {
  return { param: { name: encodeURIComponent(name) } }
}

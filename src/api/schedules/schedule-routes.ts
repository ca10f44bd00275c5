// Routes of schedules: list, read, create or replace, delete, pause, resume, run, preview.
import { Hono } from 'hono'
import type { z } from 'zod'
import type { GivenSchedule, TickPreview } from '../../service/schedules.ts'
import type { ApiDependencies } from '../dependencies.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { query } from '../http/request-query.ts'
import { createMasking } from '../tasks/masking.ts'
import { submissionResponse } from '../tasks/submission-response.ts'
import { correlationOf } from '../tasks/submit-options.ts'
import { scheduleOperations as operations } from './schedule-operations.ts'
import { type schedulePreview, scheduleRequest } from './schedule-schemas.ts'
import { viewOfRun, viewOfSchedule } from './schedule-view.ts'

export function createScheduleRoutes(dependencies: ApiDependencies) {
  const { schedules, admit } = dependencies
  const masking = createMasking(dependencies)
  const view = (known: Parameters<typeof viewOfSchedule>[0]) => viewOfSchedule(known, masking)

  return new Hono<ApiEnv>()
    .get(
      '/v1/schedules',
      admit(operations.list_schedules),
      query(operations.list_schedules.query),
      async (c) => {
        const { limit, cursor: after } = c.req.valid('query')
        const page = await schedules.list({ after, limit })
        return c.json({ data: page.schedules.map(view), next_cursor: page.next })
      },
    )
    .post(
      '/v1/schedules/preview',
      admit(operations.preview_new_schedule),
      query(operations.preview_new_schedule.query),
      jsonBody(scheduleRequest),
      async (c) => {
        const { count } = c.req.valid('query')
        return c.json(viewOfPreview(await schedules.previewOf(givenSchedule(c.req.valid('json')), count)))
      },
    )
    .get('/v1/schedules/:name', admit(operations.get_schedule), async (c) => {
      const { runs, ...known } = await schedules.get(c.req.param('name'))
      return c.json({ ...view(known), runs: runs.map(viewOfRun) })
    })
    .put('/v1/schedules/:name', admit(operations.put_schedule), jsonBody(scheduleRequest), async (c) => {
      const { isNew, ...known } = await schedules.put(c.req.param('name'), givenSchedule(c.req.valid('json')))
      return c.json(view(known), isNew ? 201 : 200)
    })
    .delete('/v1/schedules/:name', admit(operations.delete_schedule), async (c) => {
      await schedules.remove(c.req.param('name'))
      return c.body(null, 204)
    })
    .post('/v1/schedules/:name/pause', admit(operations.pause_schedule), async (c) =>
      c.json(view(await schedules.pause(c.req.param('name')))),
    )
    .post('/v1/schedules/:name/resume', admit(operations.resume_schedule), async (c) =>
      c.json(view(await schedules.resume(c.req.param('name')))),
    )
    .post('/v1/schedules/:name/run', admit(operations.run_schedule), async (c) => {
      const made = await schedules.run(c.req.param('name'), correlationOf(c))
      return submissionResponse(c, masking, made)
    })
    .get(
      '/v1/schedules/:name/preview',
      admit(operations.preview_schedule),
      query(operations.preview_schedule.query),
      async (c) => {
        const { count } = c.req.valid('query')
        return c.json(viewOfPreview(await schedules.preview(c.req.param('name'), count)))
      },
    )
}

function givenSchedule(body: z.output<typeof scheduleRequest>): GivenSchedule {
  const { definition, input, cron, time_zone, every_seconds, overlap, catch_up, jitter_seconds } = body
  return {
    definition,
    input,
    cron,
    timeZone: time_zone,
    everySeconds: every_seconds,
    overlap,
    catchUp: catch_up,
    jitterSeconds: jitter_seconds,
  }
}

function viewOfPreview(ticks: TickPreview[]): z.infer<typeof schedulePreview> {
  return { data: ticks.map(({ at, localTime }) => ({ tick_at: at.toISOString(), local_time: localTime })) }
}

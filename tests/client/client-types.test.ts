// The types of the client: those of a project's definitions, and those that equal the types of the API. tsc checks
// this file; the functions in it are compiled and never called.
import type { InferRequestType, InferResponseType } from 'hono/client'
import { expectTypeOf, test } from 'vitest'
import type {
  AcceptedTask,
  Access,
  BulkAction,
  BulkResult,
  CallbackDefinition,
  Client,
  CompactTask,
  CountQuery,
  Definition,
  HttpRequest,
  HttpRequestDefinition,
  HttpResult,
  JsonSchema,
  ListQuery,
  Queue,
  Readiness,
  Schedule,
  SchedulePage,
  ScheduleRequest,
  ScheduleTick,
  ScheduleWithRuns,
  Statistics,
  Task,
  TaskCount,
  TaskFilter,
  TaskLogs,
  TaskOptions,
  TaskPage,
  TaskWithAttempts,
  Worker,
} from 'waggle-tasks/client'
import type { z } from 'zod'
import type { JsonSchema as ApiJsonSchema } from '../../src/api/tasks/task-schemas.ts'
import type { Api } from '../../src/client/request.ts'
import type { CoreDefinition, createInternalDefinitions } from '../../src/tasks/core-definitions.ts'
import type config from '../../waggle.config.ts'

type V1 = Api['v1']
type Tasks = V1['tasks']

test('names, inputs and results have the types of their definitions', () => {
  const compiled = async (client: Client<typeof config>) => {
    const task = await client.submit('divide', { x: 1, y: 2 })
    expectTypeOf(task.name).toEqualTypeOf<'divide'>()
    const done = await client.waitFor(task)
    if (done.status === 'SUCCESS') expectTypeOf(done.result).toEqualTypeOf<{ quotient: number }>()
    else expectTypeOf(done.result).toEqualTypeOf<null>()
    const sent = await client.submit('http_request', { url: 'https://example.com' })
    const answered = await client.waitFor(sent)
    if (answered.status === 'SUCCESS') expectTypeOf(answered.result).toEqualTypeOf<HttpResult>()
    // @ts-expect-error there is no such definition
    await client.submit('divid', { x: 1, y: 2 })
    // @ts-expect-error y is missing
    await client.submit('divide', { x: 1 })
    // @ts-expect-error x is a number
    await client.submit('divide', { x: '1', y: 2 })
    // @ts-expect-error an input of another definition
    await client.submit('reverse', { x: 1, y: 2 })
    // @ts-expect-error an option that the API does not know
    await client.submit('divide', { x: 1, y: 2 }, { options: { delay: 1 } })
    // @ts-expect-error a task that only Waggle creates
    await client.submit('callback', { url: 'https://example.com', body: {} })
    // @ts-expect-error an input of another definition
    await client.replay(task, { text: 'x' })
    // @ts-expect-error no task has this name
    if ((await client.task(task.id)).name === 'divid') throw new Error()
  }
  expectTypeOf(compiled).returns.resolves.toBeVoid()
})

test('a task that is read has the types of its definition', () => {
  const compiled = async (client: Client<typeof config>) => {
    const handle = await client.submit('divide', { x: 1, y: 2 })
    const known = await client.task(handle)
    expectTypeOf(known.input).toEqualTypeOf<{ x: number; y: number }>()
    if (known.status === 'SUCCESS') expectTypeOf(known.result).toEqualTypeOf<{ quotient: number }>()
    expectTypeOf(known.attempts).toEqualTypeOf<TaskWithAttempts['attempts']>()
    const found = await client.task(handle.id)
    expectTypeOf(found.name).toEqualTypeOf<
      'divide' | 'reverse' | 'notify' | 'email' | 'sentiment' | 'http_request' | 'callback'
    >()
    if (found.name === 'divide' && found.status === 'SUCCESS')
      expectTypeOf(found.result).toEqualTypeOf<{ quotient: number }>()
    if (found.name === 'reverse') expectTypeOf(found.result).toEqualTypeOf<{ text: string } | null>()
    for (const listed of (await client.list()).data) {
      if (listed.name === 'reverse' && listed.status === 'SUCCESS')
        expectTypeOf(listed.result).toEqualTypeOf<{ text: string }>()
    }
    const ended = await client.waitFor(handle.id)
    if (ended.name === 'divide' && ended.status === 'SUCCESS')
      expectTypeOf(ended.result).toEqualTypeOf<{ quotient: number }>()
    const [first] = (await client.list()).data
    if (first) expectTypeOf((await client.waitFor(first)).name).toEqualTypeOf<typeof first.name>()
  }
  expectTypeOf(compiled).returns.resolves.toBeVoid()
})

test('without a project every name and every input is accepted, and results are unknown', () => {
  const compiled = async (client: Client) => {
    const task = await client.submit('anything', { x: 1 })
    const done = await client.waitFor(task)
    expectTypeOf(done.result).toBeUnknown()
    if (done.status !== 'SUCCESS') expectTypeOf(done.result).toBeNull()
    expectTypeOf(await client.task(task.id)).toEqualTypeOf<TaskWithAttempts>()
    expectTypeOf((await client.list()).data).toEqualTypeOf<Task[]>()
    expectTypeOf((await client.waitFor(task.id)).result).toBeUnknown()
  }
  expectTypeOf(compiled).returns.resolves.toBeVoid()
})

test('the types of responses equal those of the API', () => {
  type Read = InferResponseType<Tasks[':id']['$get'], 200>
  expectTypeOf<Plain<TaskWithAttempts>>().toEqualTypeOf<Plain<Read>>()
  expectTypeOf<Plain<AcceptedTask>>().toEqualTypeOf<Plain<InferResponseType<Tasks[':name']['$post'], 202>>>()
  expectTypeOf<Plain<AcceptedTask>>().toEqualTypeOf<Plain<InferResponseType<Tasks[':name']['$post'], 200>>>()
  expectTypeOf<AcceptedTask['poll_token']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<AcceptedTask['is_existing']>().toEqualTypeOf<boolean | undefined>()
  expectTypeOf<Plain<AcceptedTask>>().toEqualTypeOf<
    Plain<InferResponseType<Tasks[':id']['replay']['$post'], 202>>
  >()
  expectTypeOf<Plain<Task>>().toEqualTypeOf<Plain<InferResponseType<Tasks[':id']['cancel']['$post']>>>()
  expectTypeOf<Plain<Task>>().toEqualTypeOf<Plain<InferResponseType<Tasks[':id']['retry']['$post'], 202>>>()
  expectTypeOf<Plain<TaskPage> | Plain<TaskPage<CompactTask>>>().toEqualTypeOf<
    Plain<InferResponseType<Tasks['$get'], 200>>
  >()
  expectTypeOf<Plain<TaskCount>>().toEqualTypeOf<Plain<InferResponseType<Tasks['count']['$get'], 200>>>()
  expectTypeOf<Plain<TaskLogs>>().toEqualTypeOf<Plain<InferResponseType<Tasks[':id']['logs']['$get'], 200>>>()
  expectTypeOf<Plain<BulkResult>>().toEqualTypeOf<Plain<InferResponseType<Tasks['bulk']['$post'], 200>>>()
  expectTypeOf<Plain<Statistics>>().toEqualTypeOf<Plain<InferResponseType<V1['stats']['$get'], 200>>>()
  expectTypeOf<Plain<Access>>().toEqualTypeOf<Plain<InferResponseType<V1['access']['$get'], 200>>>()
  expectTypeOf<Plain<Readiness>>().toEqualTypeOf<
    Plain<InferResponseType<Api['health']['ready']['$get'], 200>>
  >()
  expectTypeOf<Plain<{ data: Queue[] }>>().toEqualTypeOf<
    Plain<InferResponseType<V1['queues']['$get'], 200>>
  >()
  expectTypeOf<Plain<Queue>>().toEqualTypeOf<
    Plain<InferResponseType<V1['queues'][':name']['pause']['$post'], 200>>
  >()
  expectTypeOf<Plain<{ data: Worker[] }>>().toEqualTypeOf<
    Plain<InferResponseType<V1['workers']['$get'], 200>>
  >()
  expectTypeOf<Plain<Worker>>().toEqualTypeOf<
    Plain<InferResponseType<V1['workers'][':id']['drain']['$post'], 200>>
  >()
  type Schedules = V1['schedules']
  expectTypeOf<Plain<SchedulePage>>().toEqualTypeOf<Plain<InferResponseType<Schedules['$get'], 200>>>()
  expectTypeOf<Plain<ScheduleWithRuns>>().toEqualTypeOf<
    Plain<InferResponseType<Schedules[':name']['$get'], 200>>
  >()
  expectTypeOf<Plain<Schedule>>().toEqualTypeOf<Plain<InferResponseType<Schedules[':name']['$put'], 200>>>()
  expectTypeOf<Plain<Schedule>>().toEqualTypeOf<
    Plain<InferResponseType<Schedules[':name']['pause']['$post'], 200>>
  >()
  expectTypeOf<Plain<AcceptedTask>>().toEqualTypeOf<
    Plain<InferResponseType<Schedules[':name']['run']['$post'], 202>>
  >()
  expectTypeOf<Plain<{ data: ScheduleTick[] }>>().toEqualTypeOf<
    Plain<InferResponseType<Schedules['preview']['$post'], 200>>
  >()
  // Hono resolves JSON Schema, which contains itself, only in part.
  type ApiDefinition = InferResponseType<V1['definitions']['$get'], 200>['data'][number]
  type Schemas = 'input_schema' | 'output_schema'
  expectTypeOf<Plain<Omit<Definition, Schemas>>>().toEqualTypeOf<Plain<Omit<ApiDefinition, Schemas>>>()
  expectTypeOf<keyof Definition>().toEqualTypeOf<keyof ApiDefinition>()
  expectTypeOf<JsonSchema>().toEqualTypeOf<ApiJsonSchema>()
})

test('the types of requests equal those of the API', () => {
  type Submission = InferRequestType<Tasks[':name']['$post']>['json']
  expectTypeOf<TaskOptions>().toEqualTypeOf<NonNullable<Submission['options']>>()
  expectTypeOf<Plain<ScheduleRequest>>().toEqualTypeOf<
    Plain<InferRequestType<V1['schedules'][':name']['$put']>['json']>
  >()
  expectTypeOf<Plain<BulkAction>>().toEqualTypeOf<Plain<InferRequestType<Tasks['bulk']['$post']>['json']>>()
  expectTypeOf<Plain<CountQuery>>().toEqualTypeOf<Plain<InferRequestType<Tasks['count']['$get']>['query']>>()
  type ApiListQuery = InferRequestType<Tasks['$get']>['query']
  // `limit` has the type unknown in the API.
  expectTypeOf<Plain<Omit<ListQuery, 'limit'>>>().toEqualTypeOf<
    Plain<Omit<ApiListQuery, 'limit' | 'compact'>>
  >()
  expectTypeOf<Exclude<keyof ApiListQuery, keyof ListQuery>>().toEqualTypeOf<'compact'>()
  expectTypeOf<TaskFilter>().toExtend<ApiListQuery>()
})

test("the types of Waggle's own definitions equal their schemas", () => {
  expectTypeOf<CoreDefinition['name']>().toEqualTypeOf<HttpRequestDefinition['name']>()
  expectTypeOf<HttpRequest>().toEqualTypeOf<z.input<CoreDefinition['input']>>()
  expectTypeOf<TypesOf<HttpRequestDefinition['input']>['output']>().branded.toEqualTypeOf<
    z.output<CoreDefinition['input']>
  >()
  expectTypeOf<HttpResult>().toEqualTypeOf<z.output<CoreDefinition['output']>>()
  type Internal = ReturnType<typeof createInternalDefinitions>[number]
  expectTypeOf<Internal['name']>().toEqualTypeOf<CallbackDefinition['name']>()
  expectTypeOf<TypesOf<CallbackDefinition['input']>['output']>().toEqualTypeOf<z.output<Internal['input']>>()
  expectTypeOf<HttpResult>().toEqualTypeOf<z.output<Internal['output']>>()
})

type TypesOf<Schema extends HttpRequestDefinition['input'] | CallbackDefinition['input']> = NonNullable<
  Schema['~standard']['types']
>

/**
 * The type with its members written out: an interface and an intersection with the same members become equal.
 * The JSON values that Hono derives from `unknown` become `unknown` again. `poll_token` and `is_existing` are
 * left out: the API's type has them in every task, although only responses to submissions contain them.
 */
type Plain<T> = unknown extends T
  ? unknown
  : IsJsonValue<T> extends true
    ? unknown
    : T extends (infer Item)[]
      ? Plain<Item>[]
      : T extends object
        ? { [Member in keyof T as Exclude<Member, 'poll_token' | 'is_existing'>]: Plain<T[Member]> }
        : T
type IsJsonValue<T> = [{ any: { member: [1, 'a', true, null] } } | 1 | 'a' | true | null] extends [T]
  ? true
  : false

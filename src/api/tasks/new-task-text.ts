// Builds the JSON of a newly submitted task. Tasks with the same name, queue, retries, timeout and isolation
// differ only in id, input, request id and creation time. All other text is serialized once and cached as a
// template.
import { inputTextOf, type NewTask } from '../../store/new-tasks.ts'
import { viewOfNewTask } from './task-view.ts'

/**
 * Returns the JSON of the task: the same text as `JSON.stringify(viewOfNewTask(task))`. For most tasks it only
 * inserts four values of the task into a cached template. That takes 0.8 instead of 2.8 µs.
 */
export function textOfNewTask(task: NewTask): string {
  const template = isPlain(task) ? templateOf(task) : undefined
  return template ? fillIn(template, task) : JSON.stringify(viewOfNewTask(task))
}

/**
 * JSON shared by all tasks that have the same name, queue, retries, timeout and isolation: the constant
 * parts, between which `fillIn` inserts the id, input, request id and creation time of a task.
 */
interface Template extends Pick<NewTask, 'queue' | 'maxRetries' | 'timeoutMs' | 'isIsolated'> {
  /** The constant parts of the JSON, in order. A value of the task is inserted between each two of them. */
  texts: string[]
  /** The value after each part of `texts`, as a number: 0 id, 1 input, 2 request id, 3 creation time. */
  values: number[]
}

/**
 * Checks whether the JSON of the task differs from that of similar tasks only in the four values that a
 * `Template` leaves open: the task has a request id, and no tags, delay, callback, parent or trace context,
 * is not held, and is not a replay.
 */
function isPlain(task: NewTask): boolean {
  return (
    task.tags.length === 0 &&
    task.requestId !== undefined &&
    task.runAt === undefined &&
    task.traceparent === undefined &&
    task.callbackUrl === undefined &&
    task.replayedFrom === undefined &&
    task.parentId === undefined &&
    task.hold === undefined
  )
}

// Maximum number of cached templates (serialized JSON with gaps) per definition. Each combination of queue,
// retries, timeout and isolation needs its own, and clients choose the first three freely, so the cache could
// grow forever.
const MAX_TEMPLATES = 8
const templatesByName = new Map<string, Template[]>()

/**
 * Returns the cached JSON with gaps for the task's name, queue, retries, timeout and isolation, and creates
 * it if it is missing. Returns undefined if `MAX_TEMPLATES` others are cached for this definition; the caller
 * then serializes the whole task.
 */
function templateOf(task: NewTask): Template | undefined {
  const templates = templatesByName.get(task.name) ?? []
  const known = templates.find(
    ({ queue, maxRetries, timeoutMs, isIsolated }) =>
      queue === task.queue &&
      maxRetries === task.maxRetries &&
      timeoutMs === task.timeoutMs &&
      isIsolated === task.isIsolated,
  )
  if (known || templates.length === MAX_TEMPLATES) return known
  const template = createTemplate(task)
  templatesByName.set(task.name, [...templates, template])
  return template
}

// Placeholders for id, input, request id and creation time, in this order. The JSON of a sample task is
// written with them and split at them; the parts are the constant text of a `Template`. They occur nowhere
// else in that JSON, because names of tasks and queues cannot contain them.
const PLACEHOLDERS = ['<id>', '"<input>"', '"<request>"', '1970-01-01T00:00:00.000Z']
const PLACEHOLDER = /(<id>|"<input>"|"<request>"|1970-01-01T00:00:00\.000Z)/

function createTemplate(task: NewTask): Template {
  const sample = { ...task, id: '<id>', input: '<input>', requestId: '<request>', createdAt: new Date(0) }
  const parts = JSON.stringify(viewOfNewTask(sample)).split(PLACEHOLDER)
  const { queue, maxRetries, timeoutMs, isIsolated } = task
  return {
    queue,
    maxRetries,
    timeoutMs,
    isIsolated,
    texts: parts.filter((_, index) => index % 2 === 0),
    values: parts
      .filter((_, index) => index % 2 === 1)
      .map((placeholder) => PLACEHOLDERS.indexOf(placeholder)),
  }
}

function fillIn({ texts, values }: Template, task: NewTask): string {
  const taskValues = [
    task.id,
    inputTextOf(task),
    JSON.stringify(task.requestId),
    task.createdAt.toISOString(),
  ]
  let text = texts[0] as string
  for (let index = 0; index < values.length; index++)
    text += taskValues[values[index] as number] + (texts[index + 1] as string)
  return text
}

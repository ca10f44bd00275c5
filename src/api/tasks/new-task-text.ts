// The JSON of a task that was just submitted. Two tasks of a kind differ in a few places; all that stands between these is
// written out once for the kind.
import { inputTextOf, type NewTask } from '../../store/new-tasks.ts'
import { viewOfNewTask } from './task-view.ts'

/** The same text as `JSON.stringify(viewOfNewTask(task))`. */
export function textOfNewTask(task: NewTask): string {
  const form = isPlain(task) ? formOf(task) : undefined
  return form ? fillIn(form, task) : JSON.stringify(viewOfNewTask(task))
}

/** The text of all tasks of one kind, cut where the values of each stand. */
interface Form extends Pick<NewTask, 'queue' | 'maxRetries' | 'timeoutMs'> {
  /** Between them stand the values, one fewer. */
  texts: string[]
  /** Which value stands behind each text, by its place in `MARKS`. */
  values: number[]
}

/** Nothing but what is in its form and what is filled in. */
function isPlain(task: NewTask): boolean {
  return (
    task.tags.length === 0 &&
    task.requestId !== undefined &&
    task.runAt === undefined &&
    task.traceparent === undefined &&
    task.callbackUrl === undefined &&
    task.replayedFrom === undefined &&
    task.parentId === undefined
  )
}

// Of each definition: whoever submits may choose queue, retries and timeout as they like.
const MOST_FORMS = 8
const formsByName = new Map<string, Form[]>()

/** Undefined where there are too many already. */
function formOf(task: NewTask): Form | undefined {
  const forms = formsByName.get(task.name) ?? []
  const known = forms.find(
    ({ queue, maxRetries, timeoutMs }) =>
      queue === task.queue && maxRetries === task.maxRetries && timeoutMs === task.timeoutMs,
  )
  if (known || forms.length === MOST_FORMS) return known
  const form = createForm(task)
  formsByName.set(task.name, [...forms, form])
  return form
}

// No name of a task or a queue has any of these in it. In the order of `fillIn`.
const MARKS = ['<id>', '"<input>"', '"<request>"', '1970-01-01T00:00:00.000Z']
const MARK = /(<id>|"<input>"|"<request>"|1970-01-01T00:00:00\.000Z)/

function createForm(task: NewTask): Form {
  const sample = { ...task, id: '<id>', input: '<input>', requestId: '<request>', createdAt: new Date(0) }
  const parts = JSON.stringify(viewOfNewTask(sample)).split(MARK)
  const { queue, maxRetries, timeoutMs } = task
  return {
    queue,
    maxRetries,
    timeoutMs,
    texts: parts.filter((_, index) => index % 2 === 0),
    values: parts.filter((_, index) => index % 2 === 1).map((mark) => MARKS.indexOf(mark)),
  }
}

function fillIn({ texts, values }: Form, task: NewTask): string {
  const own = [task.id, inputTextOf(task), JSON.stringify(task.requestId), task.createdAt.toISOString()]
  let text = texts[0] as string
  for (let index = 0; index < values.length; index++)
    text += own[values[index] as number] + (texts[index + 1] as string)
  return text
}

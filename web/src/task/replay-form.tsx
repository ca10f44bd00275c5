// Submits a task once more with another input, in the form of its definition.
import { useMemo, useState } from 'hono/jsx/dom'
import type { Definition, Task } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { fieldOfInput } from '../run/form-fields.ts'
import { stateOf } from '../run/form-state.ts'
import { TaskForm } from '../run/task-form.tsx'

export interface ReplayFormProps {
  page: Page
  task: Task
  definition: Definition | undefined
}

export function ReplayForm({ page, task, definition }: ReplayFormProps) {
  return (
    <section class="panel part" aria-labelledby="replay-title">
      <h2 id="replay-title" class="panel-title">
        Replay with edited input
      </h2>
      {definition ? (
        <FilledForm page={page} task={task} definition={definition} />
      ) : (
        <p class="quiet">{`This API has no task “${task.name}” to submit.`}</p>
      )}
    </section>
  )
}

function FilledForm({ page, task, definition }: ReplayFormProps & { definition: Definition }) {
  // What is chosen in the options comes instead of what the task was run with; the rest stays.
  const filled = useMemo(() => stateOf(fieldOfInput(definition), task.input), [])
  const [state, setState] = useState(filled)
  return (
    <TaskForm
      definition={definition}
      state={state}
      onState={setState}
      onHeld={() => {}}
      access={page.access}
      scope="operate"
      submitLabel="Submit as a new task"
      submit={({ input, options }, onHeld, signal) =>
        page.replay(task.id, { input, options }, onHeld, signal)
      }
    />
  )
}

// Form that submits a copy of a task with edited input.
import { useMemo, useState } from 'preact/hooks'
import type { Definition, Task } from '../api/api-client.ts'
import { stateOf } from '../form/form-state.ts'
import { fieldOfInput } from '../form/schema-fields.ts'
import { TaskForm } from '../form/task-form.tsx'
import type { Page } from '../page.ts'
import { isMasked, withoutMasks } from './sensitive-values.tsx'

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
        <p class="quiet">{`This API accepts no submissions of tasks named “${task.name}”.`}</p>
      )}
    </section>
  )
}

function FilledForm({ page, task, definition }: ReplayFormProps & { definition: Definition }) {
  // The form starts with the input of the original task, but with empty options: the API copies every option
  // that the request omits, except the delay, from the original task.
  const filled = useMemo(() => stateOf(fieldOfInput(definition), withoutMasks(task.input) ?? {}), [])
  const [state, setState] = useState(filled)
  return (
    <>
      {isMasked(task.input) && (
        <p class="quiet">
          Sensitive values are not filled in: enter them again, or use “Replay”, which keeps them.
        </p>
      )}
      <TaskForm
        definition={definition}
        state={state}
        onState={setState}
        onWaiting={() => {}}
        access={page.access}
        scope="operate"
        submitLabel="Submit as a new task"
        submit={({ input, options }, onWait, signal) =>
          page.replay(task.id, { input, options }, onWait, signal)
        }
      />
    </>
  )
}

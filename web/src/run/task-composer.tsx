// Pick a task, fill in its form, submit.
import { useState } from 'hono/jsx/dom'
import type { Access } from '../api/access.ts'
import { Locked } from '../api/access-notice.tsx'
import type { Definition } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { useObservable } from '../parts/observable.ts'
import { fieldOfInput } from './form-fields.ts'
import { emptyState, type FormState } from './form-state.ts'
import { TaskForm } from './task-form.tsx'

// What most people come for.
const FIRST_CHOICE = 'notify'

export interface TaskComposerProps {
  definitions: Definition[] | null
  /** By the URL; null for the first choice. */
  chosenName: string | null
  onChoose: (name: string) => void
  access: Access
  submit: Page['submit']
}

export function TaskComposer({ definitions, chosenName, onChoose, access, submit }: TaskComposerProps) {
  const { isShutOut } = useObservable(access.state)
  const [states, setStates] = useState<Record<string, FormState>>({})
  const [isHeld, setIsHeld] = useState(false)
  const name = chosenName ?? FIRST_CHOICE
  const chosen = definitions?.find((definition) => definition.name === name) ?? definitions?.[0]

  return (
    <section class="panel composer" aria-labelledby="composer-title">
      <h1 id="composer-title" class="panel-title">
        Run a task
      </h1>
      {definitions && (
        <fieldset class="picker" disabled={isHeld}>
          <legend class="visually-hidden">Which task</legend>
          {definitions.map(({ name, title }) => (
            <label key={name} class="picker-choice">
              <input
                type="radio"
                name="definition"
                value={name}
                checked={name === chosen?.name}
                onChange={() => onChoose(name)}
              />
              <span>{title}</span>
            </label>
          ))}
        </fieldset>
      )}
      {definitions === null &&
        (isShutOut ? (
          <Locked access={access} what="With a key you see here which tasks can be submitted." />
        ) : (
          <ComposerSkeleton />
        ))}
      {definitions?.length === 0 && <p class="quiet">This API has no tasks to submit.</p>}
      {chosen && (
        <TaskForm
          key={chosen.name}
          definition={chosen}
          state={states[chosen.name] ?? emptyState(fieldOfInput(chosen))}
          onState={(state) => setStates((all) => ({ ...all, [chosen.name]: state }))}
          onHeld={setIsHeld}
          access={access}
          scope="submit"
          submitLabel="Submit task"
          submit={submit}
        />
      )}
    </section>
  )
}

function ComposerSkeleton() {
  return (
    <div class="skeleton" role="status" aria-label="Asking the API which tasks there are">
      <span class="skeleton-line" />
      <span class="skeleton-line is-short" />
      <span class="skeleton-line is-tall" />
    </div>
  )
}

// Panel to choose a definition, fill in its form and submit a task.
import { useState } from 'preact/hooks'
import type { Access } from '../api/access.ts'
import { Locked } from '../api/access-notice.tsx'
import type { Definition } from '../api/api-client.ts'
import { emptyState, type FormState } from '../form/form-state.ts'
import { fieldOfInput } from '../form/schema-fields.ts'
import { TaskForm } from '../form/task-form.tsx'
import type { Page } from '../page.ts'
import { Skeleton } from '../parts/skeleton.tsx'

// Name of the definition that is selected if the URL names none. Most people use this definition.
const DEFAULT_NAME = 'notify'

export interface TaskComposerProps {
  definitions: Definition[] | null
  /** Name of the definition in the URL. If it is null, the default definition is selected. */
  chosenName: string | null
  onChoose: (name: string) => void
  access: Access
  submit: Page['submit']
}

export function TaskComposer({ definitions, chosenName, onChoose, access, submit }: TaskComposerProps) {
  const { isKeyRequired } = access.state.value
  const [states, setStates] = useState<Record<string, FormState>>({})
  const [isWaiting, setIsWaiting] = useState(false)
  const name = chosenName ?? DEFAULT_NAME
  const chosen = definitions?.find((definition) => definition.name === name) ?? definitions?.[0]

  return (
    <section class="panel composer" aria-labelledby="composer-title">
      <h1 id="composer-title" class="panel-title">
        Run a task
      </h1>
      {definitions && (
        <fieldset class="picker" disabled={isWaiting}>
          <legend class="visually-hidden">Definition</legend>
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
        (isKeyRequired ? (
          <Locked access={access} text="Enter a key to see which tasks can be submitted." />
        ) : (
          <Skeleton label="Loading the definitions" lines={['normal', 'short', 'tall']} />
        ))}
      {definitions?.length === 0 && <p class="quiet">This API has no definitions.</p>}
      {chosen && (
        <TaskForm
          key={chosen.name}
          definition={chosen}
          state={states[chosen.name] ?? emptyState(fieldOfInput(chosen))}
          onState={(state) => setStates((all) => ({ ...all, [chosen.name]: state }))}
          onWaiting={setIsWaiting}
          access={access}
          scope="submit"
          submitLabel="Submit task"
          submit={submit}
        />
      )}
    </section>
  )
}

// Pick a task, fill in its form, submit.
import { useState } from 'hono/jsx/dom'
import type { Access } from './access.ts'
import { Locked } from './access-notice.tsx'
import type { Definition } from './api-client.ts'
import type { Draft } from './field-values.ts'
import { useObservable } from './observable.ts'
import type { Page } from './page.ts'
import { TaskForm } from './task-form.tsx'

// What most people come for.
const FIRST_CHOICE = 'notify'

export function TaskComposer({
  definitions,
  access,
  submit,
}: {
  definitions: Definition[] | null
  access: Access
  submit: Page['submit']
}) {
  const { isShutOut } = useObservable(access.state)
  const [chosenName, setChosenName] = useState(FIRST_CHOICE)
  const [drafts, setDrafts] = useState<Record<string, Draft>>({})
  const [isHeld, setIsHeld] = useState(false)
  const chosen = definitions?.find(({ name }) => name === chosenName) ?? definitions?.[0]

  return (
    <section class="panel composer" aria-labelledby="composer-title">
      <h1 id="composer-title" class="panel-title">
        New task
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
                onChange={() => setChosenName(name)}
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
          draft={drafts[chosen.name] ?? {}}
          onDraft={(draft) => setDrafts((all) => ({ ...all, [chosen.name]: draft }))}
          onHeld={setIsHeld}
          access={access}
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

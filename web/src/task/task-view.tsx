// Page of one task: status, result, attempts with their logs, input, timeline and details.
import { useState } from 'preact/hooks'
import { MissingScopeNotice } from '../api/access-notice.tsx'
import type { Definition } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { JsonTree } from '../parts/json-tree.tsx'
import { toneOf } from '../parts/status-badge.tsx'
import { goTo, hashOf, type Route } from '../route.ts'
import type { LoadedTask } from '../state/task-cache.ts'
import { AttemptList } from './attempt-list.tsx'
import { ReplayForm } from './replay-form.tsx'
import { useSensitiveValues } from './sensitive-values.tsx'
import { TaskActions } from './task-actions.tsx'
import { TaskDetails } from './task-details.tsx'
import { TaskError } from './task-error.tsx'
import { TaskHead, useTaskClock } from './task-head.tsx'
import { useTaskLog } from './task-log.ts'
import { TaskPlaceholder } from './task-placeholder.tsx'
import { TaskSpans } from './task-spans-bar.tsx'
import { TaskTimeline } from './task-timeline.tsx'

export function TaskView({ page, route }: { page: Page; route: Route }) {
  const id = route.id ?? ''
  const definitions = page.definitions.value
  const cached = page.cache.byId.value.get(id)
  if (cached?.kind === 'loaded') {
    return (
      <TaskPage
        key={id}
        page={page}
        loaded={cached}
        definition={definitions?.find(({ name }) => name === cached.task.name)}
        isEdited={route.params.get('replay') === 'edited'}
      />
    )
  }
  return (
    <section class="panel task-panel" aria-labelledby="no-task-title">
      <h1 id="no-task-title" class="visually-hidden">
        {`Task ${id}`}
      </h1>
      <TaskPlaceholder page={page} fault={cached?.fault} dismissText="To the list" onDismiss={dismiss} />
    </section>
  )

  function dismiss() {
    page.remembered.remove(id)
    goTo({ view: 'tasks' })
  }
}

interface TaskPageProps {
  page: Page
  loaded: LoadedTask
  definition: Definition | undefined
  /** Whether the form for a replay with edited input is open. */
  isEdited: boolean
}

function TaskPage({ page, loaded, definition, isEdited }: TaskPageProps) {
  const { task } = loaded
  const [isFollowed, setIsFollowed] = useState(true)
  const log = useTaskLog(page, task, isFollowed)
  const clock = useTaskClock(page, loaded)
  const values = useSensitiveValues(page, task)
  const isRunning = task.status === 'STARTED'
  return (
    <article class={`task-page ${toneOf(task.status)}`} aria-labelledby="task-title">
      <section class="panel card">
        <TaskHead task={task} title={definition?.title ?? task.name} clock={clock} headingLevel={1} />
        {task.status !== 'SUCCESS' && <TaskError task={task} headingLevel={2} />}
        <TaskActions page={page} task={task} replay={replay}>
          {(definition || isEdited) && (
            <a
              class="button"
              href={hashOf({ view: 'task', id: task.id, params: isEdited ? {} : { replay: 'edited' } })}
              aria-current={isEdited ? 'true' : undefined}
            >
              {isEdited ? 'Close editor' : 'Replay with edited input'}
            </a>
          )}
        </TaskActions>
        <MissingScopeNotice access={page.access} scope="operate" />
      </section>
      {isEdited && <ReplayForm page={page} task={task} definition={definition} />}
      <div class="task-columns">
        <div class="task-column">
          {task.status === 'SUCCESS' && (
            <section class="panel part" aria-labelledby="result-title">
              <div class="part-head">
                <h2 id="result-title" class="panel-title">
                  Result
                </h2>
                {values.buttonFor(task.result, 'result')}
              </div>
              <JsonTree key={`result-${task.attempt}-${values.key}`} label="Result" value={values.result} />
            </section>
          )}
          <section class="panel part" aria-labelledby="attempts-title">
            <div class="part-head">
              <h2 id="attempts-title" class="panel-title">
                Attempts and log
              </h2>
              {isRunning && (
                <button
                  type="button"
                  class="button is-quiet is-small"
                  aria-pressed={isFollowed ? 'true' : 'false'}
                  onClick={() => setIsFollowed(!isFollowed)}
                >
                  {isFollowed ? 'Pause the log' : 'Follow the log'}
                </button>
              )}
            </div>
            {log.fault && <p class="quiet">{`The log cannot be read: ${log.fault}`}</p>}
            <AttemptList
              task={task}
              atMs={clock.atMs}
              lines={log.lines}
              isLogLoaded={log.isLoaded}
              isFollowed={isFollowed && isRunning}
            />
            {log.loadMore && (
              <button type="button" class="button is-small" onClick={log.loadMore}>
                Load more log lines
              </button>
            )}
          </section>
          <section class="panel part" aria-labelledby="input-title">
            <div class="part-head">
              <h2 id="input-title" class="panel-title">
                Input
              </h2>
              {values.buttonFor(task.input, 'input')}
            </div>
            <JsonTree key={`input-${values.key}`} label="Input" value={values.input} />
          </section>
        </div>
        <div class="task-column">
          <section class="panel part" aria-labelledby="timeline-title">
            <h2 id="timeline-title" class="panel-title">
              Timeline
            </h2>
            <TaskSpans task={task} atMs={clock.atMs} />
            <TaskTimeline task={task} />
          </section>
          <TaskDetails page={page} task={task} definition={definition} />
        </div>
      </div>
    </article>
  )

  function replay() {
    // An AbortSignal that never aborts: the replay continues when the person opens another view.
    const { signal } = new AbortController()
    // Sends no input: the API copies it, and accepts a replay of a callback only with its own input.
    return page.replay(task.id, {}, () => {}, signal)
  }
}

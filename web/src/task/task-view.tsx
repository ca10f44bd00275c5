// One task, whole: how it is, every attempt with what it said, what was submitted and what came of it.
import { useState } from 'hono/jsx/dom'
import { LackingNotice, Locked } from '../api/access-notice.tsx'
import type { Definition } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { formatMoment } from '../parts/durations.ts'
import { JsonTree } from '../parts/json-tree.tsx'
import { useNow } from '../parts/now.ts'
import { useObservable } from '../parts/observable.ts'
import { StatusBadge, toneOf } from '../parts/status-badge.tsx'
import { goTo, hashOf, type Route } from '../route.ts'
import { AttemptList } from './attempt-list.tsx'
import type { LiveTask } from './live-tasks.ts'
import { ReplayForm } from './replay-form.tsx'
import { TaskActions } from './task-actions.tsx'
import { TaskFacts } from './task-facts.tsx'
import { useTaskLog } from './task-log.ts'
import { TaskProgress } from './task-progress.tsx'
import { TaskSpans } from './task-spans-bar.tsx'
import { LoadingTask, RefusedTask } from './task-states.tsx'
import { summaryOf } from './task-story.ts'
import { TaskTimeline } from './task-timeline.tsx'

export function TaskView({ page, route }: { page: Page; route: Route }) {
  const id = route.id ?? ''
  const definitions = useObservable(page.definitions)
  const live = useObservable(page.live.byId).get(id)
  const connection = useObservable(page.connection.state)
  const access = useObservable(page.access.state)
  if (live?.kind === 'seen') {
    return (
      <TaskPage
        key={id}
        page={page}
        live={live}
        definition={definitions?.find(({ name }) => name === live.task.name)}
        isUp={connection.isUp}
        isEdited={route.params.get('replay') === 'edited'}
      />
    )
  }
  return (
    <section class="panel task-panel" aria-labelledby="no-task-title">
      <h1 id="no-task-title" class="visually-hidden">
        {`Task ${id}`}
      </h1>
      {live ? (
        <RefusedTask fault={live.fault} access={page.access} goneText="To the list" onDismiss={leave} />
      ) : access.isShutOut ? (
        <Locked access={page.access} what="With a key you see here how this task is." />
      ) : (
        <LoadingTask isUp={connection.isUp} />
      )}
    </section>
  )

  function leave() {
    page.remembered.remove(id)
    goTo({ view: 'tasks' })
  }
}

interface TaskPageProps {
  page: Page
  live: LiveTask & { kind: 'seen' }
  definition: Definition | undefined
  isUp: boolean
  /** Whether its input is being edited, to be submitted once more. */
  isEdited: boolean
}

function TaskPage({ page, live, definition, isUp, isEdited }: TaskPageProps) {
  const { task, seenAtMs } = live
  const [isFollowed, setIsFollowed] = useState(true)
  const log = useTaskLog(page, task, isFollowed)
  const isLive = isUp && !task.is_final
  useNow(isLive)
  // What nobody can see going on does not seem to go on.
  const atMs = isLive ? page.nowMs() : seenAtMs
  const title = definition?.title ?? task.name
  const isRunning = task.status === 'STARTED'
  return (
    <article class={`task-page ${toneOf(task.status)}`} aria-labelledby="task-title">
      <section class="panel card">
        <header class="card-head">
          <div>
            <h1 id="task-title" class="card-title">
              {title}
            </h1>
            <p class="card-summary">
              {isLive || task.is_final
                ? summaryOf(task, atMs)
                : `As of ${formatMoment(new Date(seenAtMs).toISOString())}.`}
            </p>
          </div>
          <StatusBadge status={task.status} />
        </header>
        {/* Progress, counting seconds and log lines are not read out; a new status is. */}
        <p class="visually-hidden" role="status">
          {`${title}: ${task.status}`}
        </p>
        <TaskProgress task={task} />
        {task.error && task.status !== 'SUCCESS' && (
          <section class={`outcome ${toneOf(task.status)}`} aria-label="Error">
            <h2 class="outcome-title">{task.is_final ? 'Why it ended so' : 'The last attempt failed'}</h2>
            <p class="outcome-error">
              <span class="outcome-error-name">{task.error.name}</span> {task.error.message}
            </p>
          </section>
        )}
        <TaskActions
          task={task}
          access={page.access}
          cancel={() => page.cancel(task.id)}
          retry={() => page.retry(task.id)}
          replay={replay}
        >
          <a
            class="button"
            href={hashOf({ view: 'task', id: task.id, params: isEdited ? {} : { replay: 'edited' } })}
            aria-current={isEdited ? 'true' : undefined}
          >
            {isEdited ? 'Do not edit' : 'Replay with edited input'}
          </a>
        </TaskActions>
        <LackingNotice access={page.access} scope="operate" />
      </section>
      {isEdited && <ReplayForm page={page} task={task} definition={definition} />}
      <div class="task-columns">
        <div class="task-column">
          {task.status === 'SUCCESS' && (
            <section class="panel part" aria-labelledby="result-title">
              <h2 id="result-title" class="panel-title">
                Result
              </h2>
              <JsonTree key={`result-${task.attempt}`} label="Result" value={task.result} />
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
              atMs={atMs}
              lines={log.lines}
              isLogLoaded={log.isLoaded}
              isFollowed={isFollowed && isRunning}
            />
            {log.readMore && (
              <button type="button" class="button is-small" onClick={log.readMore}>
                Read more of the log
              </button>
            )}
          </section>
          <section class="panel part" aria-labelledby="input-title">
            <h2 id="input-title" class="panel-title">
              Input
            </h2>
            <JsonTree label="Input" value={task.input} />
          </section>
        </div>
        <div class="task-column">
          <section class="panel part" aria-labelledby="story-title">
            <h2 id="story-title" class="panel-title">
              What happened
            </h2>
            <TaskSpans task={task} atMs={atMs} />
            <TaskTimeline task={task} />
          </section>
          <TaskFacts page={page} task={task} definition={definition} />
        </div>
      </div>
    </article>
  )

  function replay() {
    const leaving = new AbortController()
    return page.replay(task.id, { input: task.input }, () => {}, leaving.signal)
  }
}

// Watches whether the event loop of this process is blocked, i.e. whether code computes without a pause. A
// thread notices the block, because it goes on meanwhile (`thread.js`); this file is the part in the main
// thread. It counts ticks, tells the thread which attempt blocks the loop, and measures its blocks.
import { url as inspectorUrl } from 'node:inspector'
import { SHARE_ENV, Worker as Thread } from 'node:worker_threads'
import type { Events } from '../../telemetry/events.ts'
import type { AttemptScope, LoopBlock, RunningTask, RunningTasks } from '../attempts/running-tasks.ts'
import { currentFrames } from './stack-frames.ts'

export interface Watchdog {
  /** Resolves when the thread watches the event loop. */
  started: Promise<void>
  /**
   * Announces an attempt that starts, so that the thread knows the latest deadline of all running attempts.
   * @param deadlineMs when the attempt times out, by `performance.now()`
   */
  noteDeadline(deadlineMs: number): void
  /** Returns how long an attempt has blocked the event loop so far; undefined if it never did. */
  blockOf(attempt: RunningTask): LoopBlock | undefined
  /** Returns when the thread wrote the last heartbeat (`Date.now()`); 0 if it never did. */
  lastBeatAtMs(): number
  stop(): Promise<void>
}

export interface WatchdogOptions {
  workerId: string
  /** URL of the database. PGlite runs in this process: then no heartbeat is written and nothing is killed. */
  databaseUrl: string
  /** `role` of the process in its log lines. */
  role: string
  scope: AttemptScope
  running: RunningTasks
  events: Events
  missingAfterMs: number
  /**
   * How long an attempt may block the event loop beyond its timeout, in milliseconds. Then the process is
   * killed.
   */
  blockGraceMs: number
  /** Process id of the parent process. If it has ended, this process is killed. */
  parentPid?: number
}

/** What the thread gets at its start. */
export interface ThreadSettings {
  shared: SharedState
  workerId: string
  /** Undefined if the database is PGlite. */
  databaseUrl: string | undefined
  role: string
  /** After this time without a tick, the thread writes the heartbeat, in milliseconds. */
  beatAfterMs: number
  /** After this time without a tick, the thread asks which attempt blocks the event loop, in milliseconds. */
  askAfterMs: number
  graceMs: number
  parentPid: number | undefined
  /** Key of the global symbol under which the main thread offers the function that answers the thread. */
  questionName: string
  /** `process.hrtime()` minus `performance.now()` of the main thread, in milliseconds. */
  clockOffsetMs: number
}

/** State that both threads use. Each array has one element, which one of the threads writes. */
interface SharedState {
  /** Number of ticks of the event loop. Written by the main thread. */
  ticks: Int32Array
  /**
   * The latest deadline of all running attempts, by `performance.now()`; 0 without one. By the main thread.
   */
  latestDeadlineMs: Float64Array
  /** 1 if a debugger can attach to the process. Written by the main thread. */
  isDebugged: Int32Array
  /** How long the event loop is blocked now, and the tick since which it is. Written by the thread. */
  blockedMs: Float64Array
  blockedTick: Int32Array
  /** When the thread wrote the last heartbeat, by `Date.now()`. */
  lastBeatAtMs: Float64Array
}

/** What the main thread answers, as JSON, when the thread asks what blocks the event loop. */
export interface Answer {
  isDebugged: boolean
  frames: string[]
  /** Undefined if the code that runs belongs to no attempt. */
  taskId?: string
  attempt?: number
  /** Undefined if the attempt has ended and its code still runs. */
  name?: string
  /** When the attempt times out, by `performance.now()`. */
  deadlineMs?: number
}

// How often the event loop shows the thread that it is not blocked.
const TICK_MS = 250
/** Shorter blocks are not reported: code that computes for less than a second delays other tasks little. */
export const REPORTED_BLOCK_MS = 1_000
// Pause before the thread is started again after an error.
const RESTART_MS = 5_000

/** Starts the watchdog of a worker. */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { scope, running, events, missingAfterMs } = options
  const questionName = `waggle.blocked.${options.workerId}`
  const shared = createSharedState()
  /** The block that lasts now, if the thread has asked about it. */
  let current: { attempt: RunningTask | undefined; answer: Answer } | undefined
  /** The part of the current block that is already attributed, in milliseconds. */
  let attributedMs = 0
  let isStopped = false

  offer(questionName, answerQuestion)
  const ticking = setInterval(tick, TICK_MS).unref()
  let thread = startThread()

  return {
    started: new Promise((resolve) => thread.once('online', resolve)),
    noteDeadline(deadlineMs) {
      if (deadlineMs > (shared.latestDeadlineMs[0] ?? 0)) shared.latestDeadlineMs[0] = deadlineMs
    },
    blockOf(attempt) {
      if (current?.attempt === attempt) attributeBlock()
      return attempt.block
    },
    lastBeatAtMs: () => shared.lastBeatAtMs[0] ?? 0,
    async stop() {
      isStopped = true
      clearInterval(ticking)
      offer(questionName, undefined)
      await thread.terminate()
    },
  }

  function startThread(): Thread {
    const started = new Thread(new URL('./thread.js', import.meta.url), {
      workerData: {
        shared,
        workerId: options.workerId,
        databaseUrl: options.databaseUrl.startsWith('pglite:') ? undefined : options.databaseUrl,
        role: options.role,
        // The last heartbeat of the main thread is up to a third of `missingAfterMs` old when a block begins.
        beatAfterMs: Math.min(1_000, missingAfterMs / 6),
        askAfterMs: REPORTED_BLOCK_MS,
        graceMs: options.blockGraceMs,
        parentPid: options.parentPid,
        questionName,
        clockOffsetMs: Number(process.hrtime.bigint()) / 1e6 - performance.now(),
      } satisfies ThreadSettings,
      // Flags of the process, such as the size of V8's young generation, are for the main thread.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
      // The driver reads settings from the environment.
      env: SHARE_ENV,
    })
    started.on('message', (message) =>
      report('heartbeat while the event loop was blocked', new Error(message)),
    )
    started.on('error', (error) => report('thread that watches the event loop', error))
    started.on('exit', () => {
      if (isStopped) return
      setTimeout(() => {
        if (!isStopped) thread = startThread()
      }, RESTART_MS).unref()
    })
    started.unref()
    return started
  }

  function report(where: string, error: unknown) {
    events.emit('error.transient', { where, error })
  }

  /** Shows the thread that the event loop is not blocked, and ends a block that has just ended. */
  function tick() {
    if (current || blockedNowMs() >= REPORTED_BLOCK_MS) attributeBlock()
    attributedMs = 0
    const attempts = running.all().filter(({ isOver, isIsolated }) => !isOver && !isIsolated)
    shared.latestDeadlineMs[0] = Math.max(0, ...attempts.map(deadlineOf))
    shared.isDebugged[0] = inspectorUrl() === undefined ? 0 : 1
    Atomics.add(shared.ticks, 0, 1)
  }

  /**
   * Answers the question of the thread. V8 calls it in the middle of the code that blocks the event loop, so
   * it changes nothing that this code can have read, except the state of the watchdog.
   * @param askedTick the last tick that the thread has seen: the question is outdated if there is a newer one
   */
  function answerQuestion(askedTick: number): string {
    if (Atomics.load(shared.ticks, 0) !== askedTick) return 'null'
    const key = scope.getStore()
    const found = key && running.find(key)
    const attempt = found?.isOver ? undefined : found
    if (current && current.attempt !== attempt) attributeBlock()
    const answer: Answer = {
      isDebugged: inspectorUrl() !== undefined,
      // The first answer of a block: V8 can give a later one just after the block, in the code that follows.
      frames: current?.answer.frames ?? currentFrames(),
      ...key,
      ...(attempt && { name: attempt.task.name, deadlineMs: deadlineOf(attempt) }),
    }
    current = { attempt, answer }
    return JSON.stringify(answer)
  }

  /** How long the event loop is blocked; 0 if the thread has last seen an earlier block. */
  function blockedNowMs(): number {
    const isCurrent = Atomics.load(shared.blockedTick, 0) === Atomics.load(shared.ticks, 0)
    return isCurrent ? (shared.blockedMs[0] ?? 0) : 0
  }

  /**
   * Attributes the time for which the event loop has been blocked to the attempt that was seen last. Time
   * that belongs to no running attempt is reported immediately.
   */
  function attributeBlock() {
    const totalMs = blockedNowMs()
    const ms = totalMs - attributedMs
    const ended = current
    attributedMs = totalMs
    current = undefined
    if (ended?.attempt) addBlock(ended.attempt, ms, ended.answer.frames)
    else if (ms >= REPORTED_BLOCK_MS) {
      const { taskId, attempt, frames = [] } = ended?.answer ?? {}
      events.emit('loop.blocked', { workerId: options.workerId, taskId, attempt, ms, frames })
    }
  }
}

function createSharedState(): SharedState {
  const integer = () => new Int32Array(new SharedArrayBuffer(4))
  // Elements of 8 bytes at an aligned address: a processor of 64 bits writes them at once.
  const number = () => new Float64Array(new SharedArrayBuffer(8))
  return {
    ticks: integer(),
    isDebugged: integer(),
    latestDeadlineMs: number(),
    blockedMs: number(),
    blockedTick: integer(),
    lastBeatAtMs: number(),
  }
}

/** Sets a property of the global object, where the inspector protocol can call it. */
function offer(name: string, answer: ((tick: number) => string) | undefined) {
  const key = Symbol.for(name)
  if (answer) Reflect.set(globalThis, key, answer)
  else Reflect.deleteProperty(globalThis, key)
}

function deadlineOf({ startedMs, task }: RunningTask): number {
  return startedMs + task.timeoutMs
}

function addBlock(attempt: RunningTask, ms: number, frames: string[]) {
  const { block } = attempt
  const isLongest = !block || ms > block.longestMs
  attempt.block = {
    ms: (block?.ms ?? 0) + ms,
    longestMs: isLongest ? ms : block.longestMs,
    frames: isLongest ? frames : block.frames,
  }
}

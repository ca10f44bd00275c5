// The thread that watches the event loop of a worker process. While the loop is blocked, it writes the
// heartbeat of the worker, asks the main thread which attempt blocks it, and kills the process if this
// attempt is far beyond its timeout. It also kills the process when its parent process has ended.
//
// JavaScript and not TypeScript: Node would load its TypeScript compiler in this thread, which takes 20 MB.
import { write } from 'node:fs'
import { Session } from 'node:inspector'
import { parentPort, workerData } from 'node:worker_threads'

/** @type {import('./watchdog.ts').ThreadSettings} */
const settings = workerData
const { shared, workerId, databaseUrl, beatAfterMs, askAfterMs, graceMs, parentPid } = settings

// How often the thread looks at the event loop and at the parent process.
const CHECK_MS = 250
// Pause between two heartbeats, and between two questions to the main thread.
const BEAT_MS = 1_000
const ASK_MS = 1_000
// A question without an answer for this long means that native code blocks the event loop, which V8 cannot
// interrupt. It can be that of another attempt than the last answer says.
const UNANSWERED_MS = 3_000
// How long a worker may be blocked that runs no attempt. Then no heartbeats are written any more, so that
// tasks that it has claimed but not started run in another worker, and a process with a supervisor is killed.
const IDLE_BLOCK_MS = 60_000
// How long the last log line may take before the process is killed without it.
const LOG_MS = 1_000

let lastTick = -1
let lastCheckMs = nowMs()
/** How long the event loop has been blocked, as far as this thread has seen it. */
let blockedMs = 0
/** For how long the whole process was stopped during the block, e.g. by SIGSTOP. */
let stoppedMs = 0
let lastBeatMs = Number.NEGATIVE_INFINITY
let isBeating = false
let hasReportedError = false
let hasReportedOverdue = false
/** @type {Promise<import('../../store/blocked-heartbeat.ts').BlockedHeartbeat> | undefined} */
let heartbeat
let lastAskMs = Number.NEGATIVE_INFINITY
let isAsking = false
/** @type {import('./watchdog.ts').Answer | undefined} */
let answer
/** `blockedMs` when the attempt of the last answer was seen first in this block. */
let answeredSinceMs = 0

setInterval(check, CHECK_MS)

function check() {
  if (parentPid !== undefined && process.ppid !== parentPid) kill()
  measure()
  if (blockedMs >= beatAfterMs && databaseUrl !== undefined) beat(databaseUrl)
  if (blockedMs < askAfterMs) return
  ask()
  if (isOverdue()) endProcess()
}

/**
 * Measures how long the event loop has been blocked. Counts only time in which this thread ran: when the
 * whole process was stopped, e.g. by SIGSTOP or with its virtual machine, the event loop was not blocked.
 */
function measure() {
  const checkMs = nowMs()
  const elapsedMs = checkMs - lastCheckMs
  const sinceMs = Math.min(elapsedMs, 2 * CHECK_MS)
  lastCheckMs = checkMs
  const tick = Atomics.load(shared.ticks, 0)
  if (tick === lastTick) {
    blockedMs += sinceMs
    stoppedMs += elapsedMs - sinceMs
  } else endBlock(tick)
  shared.blockedMs[0] = blockedMs
  Atomics.store(shared.blockedTick, 0, tick)
}

/** @param {number} tick */
function endBlock(tick) {
  lastTick = tick
  blockedMs = 0
  stoppedMs = 0
  answer = undefined
  hasReportedError = false
  hasReportedOverdue = false
  isAsking = false
}

/** @param {string} url */
function beat(url) {
  const startedMs = nowMs()
  const isIdle = shared.latestDeadlineMs[0] === 0
  if (isBeating || startedMs - lastBeatMs < BEAT_MS || (isIdle && blockedMs > IDLE_BLOCK_MS)) return
  isBeating = true
  lastBeatMs = startedMs
  const atMs = Date.now()
  heartbeat ??= import('../../store/blocked-heartbeat.ts').then(({ createBlockedHeartbeat }) =>
    createBlockedHeartbeat(url, workerId),
  )
  heartbeat
    .then((opened) => opened.beat())
    .then(() => {
      shared.lastBeatAtMs[0] = atMs
    })
    .catch((error) => {
      // The file or the connection may be available at the next heartbeat.
      heartbeat = undefined
      // Only the message: not every error can be copied to another thread.
      if (!hasReportedError) parentPort?.postMessage(String(error?.message ?? error))
      hasReportedError = true
    })
    .finally(() => {
      isBeating = false
    })
}

/**
 * Asks the main thread what it runs. V8 evaluates the question at the next function call or loop iteration of
 * the code that blocks the event loop, in its async context. Native code is not interrupted. Each question
 * has a session of its own: a process that exits while a session is open prints that a debugger is attached.
 */
function ask() {
  if (isAsking || nowMs() - lastAskMs < ASK_MS) return
  isAsking = true
  lastAskMs = nowMs()
  const tick = lastTick
  const session = new Session()
  session.connectToMainThread()
  const expression = `globalThis[Symbol.for(${JSON.stringify(settings.questionName)})]?.(${tick})`
  session.post('Runtime.evaluate', { expression, returnByValue: true, silent: true }, (_error, evaluated) => {
    session.disconnect()
    if (tick !== lastTick) return
    isAsking = false
    note(JSON.parse(evaluated?.result?.value ?? 'null') ?? undefined)
  })
}

/** @param {import('./watchdog.ts').Answer | undefined} newer */
function note(newer) {
  if (newer?.taskId !== answer?.taskId || newer?.attempt !== answer?.attempt) answeredSinceMs = blockedMs
  answer = newer
}

/**
 * Whether the attempt that blocks the event loop is beyond its timeout and the grace. If it is not known
 * which attempt that is, whether all running attempts are. The attempt must itself have blocked the loop for
 * `graceMs`: others may have delayed it.
 */
function isOverdue() {
  // Code that belongs to no running attempt, e.g. a timer of an ended one. Nothing is lost with the process.
  if (shared.latestDeadlineMs[0] === 0 && blockedMs > IDLE_BLOCK_MS) return shared.isDebugged[0] === 0
  const isUnanswered = isAsking && nowMs() - lastAskMs > UNANSWERED_MS
  if (answer === undefined && !isUnanswered) return false
  const isKnown = answer?.deadlineMs !== undefined && !isUnanswered
  const deadlineMs = (isKnown ? answer?.deadlineMs : shared.latestDeadlineMs[0]) ?? 0
  const sinceMs = isKnown ? answeredSinceMs : 0
  const isDebugged = answer?.isDebugged ?? shared.isDebugged[0] === 1
  if (deadlineMs === 0 || isDebugged || blockedMs - sinceMs < graceMs) return false
  return mainThreadMs() - stoppedMs > deadlineMs + graceMs
}

function endProcess() {
  // Without a server and a supervisor nothing puts the tasks back, so the process is not killed.
  if (databaseUrl === undefined || parentPid === undefined) {
    if (!hasReportedOverdue)
      log(50, 'an attempt blocks the event loop beyond its timeout and cannot be ended')
    hasReportedOverdue = true
    return
  }
  if (hasReportedOverdue) return
  hasReportedOverdue = true
  log(
    60,
    'the event loop is blocked beyond the timeouts of all attempts that can block it; the process is killed',
    kill,
  )
  setTimeout(kill, LOG_MS)
}

/**
 * Writes a log line like those of `telemetry/log.ts`. Writes to the file descriptor, because the streams of a
 * thread are written by the main thread.
 * @param {number} level @param {string} msg @param {() => void} [onWritten] also called if it cannot be
 * written
 */
function log(level, msg, onWritten = () => {}) {
  const { taskId, name, attempt, frames } = answer ?? {}
  const line = {
    level,
    time: new Date().toISOString(),
    role: settings.role,
    workerId,
    taskId,
    name,
    attempt,
    blockedSeconds: Math.round(blockedMs / 100) / 10,
    frames,
    msg,
  }
  // Not synchronously: a full pipe would block this thread.
  write(2, `${JSON.stringify(line)}\n`, () => onWritten())
}

function kill() {
  process.kill(process.pid, 'SIGKILL')
}

/** Milliseconds of a monotonic clock that all threads share. `performance.now()` differs between threads. */
function nowMs() {
  return Number(process.hrtime.bigint()) / 1e6
}

/** `performance.now()` of the main thread. */
function mainThreadMs() {
  return nowMs() - settings.clockOffsetMs
}

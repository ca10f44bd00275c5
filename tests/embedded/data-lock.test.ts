// The lock of the data folder: processes that start at the same time never get the same folder. The ones that
// do not get it wait for half a second.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts'

const PROCESS = fileURLToPath(new URL('../support/data-lock-process.ts', import.meta.url))

interface Candidate {
  pid: number
  /** Locks the folder at the given time. Resolves with 'locked' or the error message. */
  lockAt(dataDir: string, atMs: number): Promise<string>
  unlock(): Promise<string>
  kill(): Promise<void>
}

let folder: string
let candidates: Candidate[]
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-locks-'))
  candidates = await Promise.all([1, 2, 3, 4].map(startCandidate))
})
afterEach(async () => {
  await Promise.all(candidates.map((candidate) => candidate.kill()))
  rmSync(folder, { recursive: true, force: true })
})

test('of four processes that lock a new folder at the same time, one gets it and the others name it', async () => {
  for (let round = 0; round < 8; round++) {
    const dataDir = join(folder, String(round))
    const atMs = Date.now() + 20
    const outcomes = await Promise.all(candidates.map((candidate) => candidate.lockAt(dataDir, atMs)))
    expect(outcomes.filter((outcome) => outcome === 'locked')).toHaveLength(1)
    for (const outcome of outcomes.filter((text) => text !== 'locked'))
      expect(outcome).toMatch(`${dataDir} is in use by `)
    await Promise.all(candidates.map((candidate) => candidate.unlock()))
  }
})

test('of three processes that lock the folder of a killed one at the same time, one gets it', async () => {
  for (let round = 0; round < 8; round++) {
    const dataDir = join(folder, String(round))
    const killed = await startCandidate()
    expect(await killed.lockAt(dataDir, 0)).toBe('locked')
    await killed.kill()
    const atMs = Date.now() + 20
    const outcomes = await Promise.all(candidates.map((candidate) => candidate.lockAt(dataDir, atMs)))
    expect(outcomes.filter((outcome) => outcome === 'locked')).toHaveLength(1)
    await Promise.all(candidates.map((candidate) => candidate.unlock()))
  }
})

test('the error names the process that has the folder', async () => {
  const [first, second] = candidates as [Candidate, Candidate]
  expect(await first.lockAt(folder, 0)).toBe('locked')
  expect(await second.lockAt(folder, 0)).toBe(
    `${folder} is in use by process ${first.pid}; stop it, or set DATA_DIR`,
  )
  await first.unlock()
  expect(await second.lockAt(folder, 0)).toBe('locked')
})

test('a folder is free after a kill, although another process has the id of the killed one', async () => {
  const [first, second] = candidates as [Candidate, Candidate]
  expect(await first.lockAt(folder, 0)).toBe('locked')
  await first.kill()
  writeFileSync(join(folder, 'owner'), String(process.pid))
  expect(await second.lockAt(folder, 0)).toBe('locked')
})

async function startCandidate(): Promise<Candidate> {
  const child = spawn(process.execPath, [PROCESS], {
    env: CHILD_ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => String((await lines.next()).value)
  expect(await next()).toBe('started')
  const ask = (request: object) => {
    child.stdin.write(`${JSON.stringify(request)}\n`)
    return next()
  }
  return {
    pid: child.pid as number,
    lockAt: (dataDir, atMs) => ask({ dataDir, atMs }),
    unlock: () => ask({}),
    kill: () => killed(child),
  }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise((resolve) => {
    child.once('exit', resolve)
    child.kill('SIGKILL')
  })
}

// Describes where the figures come from: the machine, the versions and the commit.
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

/**
 * One line, e.g. `commit 1a2b3c4, 2 x AMD EPYC, 24 GB, Node 24.0.0, PostgreSQL 15.1, Redis 7.0.0, bullmq
 * 6.0.0`.
 * @param versions `python` is the line that Python prints, e.g. `Python 3.13.0`
 */
export function describeMachine(versions: {
  postgres: string
  redis: string
  bullmq?: string
  python?: string
}): string {
  const cores = availableParallelism()
  const memoryGb = Math.round(totalmem() / 1024 ** 3)
  return [
    `commit ${readCommit()}`,
    `${cores} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
    `${memoryGb} GB`,
    `Node ${process.versions.node}`,
    `PostgreSQL ${versions.postgres}`,
    `Redis ${versions.redis}`,
    ...(versions.bullmq ? [`bullmq ${versions.bullmq}`] : []),
    ...(versions.python ? [versions.python] : []),
  ].join(', ')
}

function readCommit(): string {
  const commit = git('rev-parse', '--short', 'HEAD')
  if (!commit) return 'unknown'
  return git('status', '--porcelain') ? `${commit} with changes` : commit
}

function git(...args: string[]): string {
  const cwd = fileURLToPath(new URL('.', import.meta.url))
  try {
    return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}

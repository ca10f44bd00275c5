// Finds the processes that a process has started, such as the worker processes of a supervisor.
import { readFile } from 'node:fs/promises'

/** Returns the process and all of its descendants; only the process itself where /proc is not available. */
export async function processTree(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const pids = children.split(' ').filter((text) => text.trim() !== '')
  const trees = await Promise.all(pids.map((child) => processTree(Number(child))))
  return [pid, ...trees.flat()]
}

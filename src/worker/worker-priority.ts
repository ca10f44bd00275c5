// A worker gives way: whoever shares its machine and has somebody waiting (the API, Postgres, Redis) gets a processor
// first. While they take all processors the worker may fall behind; it catches up afterwards.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** @param nice as of nice(1): 0 changes nothing, 19 gives way the most. Best effort: the work does not depend on it. */
export function lowerPriority(nice: number): void {
  try {
    if (nice > getPriority()) setPriority(nice)
    // Where Linux shares out its processors by session (sched(7), autogroup), the nice value of a process counts within its
    // session only, and between sessions one of their own. Containers have shares instead: docker-compose.yml.
    if (nice > 0 && isAlone(readSession())) writeFileSync('/proc/self/autogroup', String(nice))
  } catch {
    // Another system, or one that does not allow it.
  }
}

interface Process {
  pid: number
  parent: number
  session: number
}

/** All processes of our session. @throws where there is no /proc */
function readSession(): Process[] {
  const { session } = readProcess('self')
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      return [readProcess(pid)].filter((member) => member.session === session)
    } catch {
      return [] // ended meanwhile
    }
  })
}

function readProcess(pid: string): Process {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // proc_pid_stat(5): the name, in brackets, may hold anything.
  const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), session: Number(session) }
}

/** Whether nobody is in it but us and those who have started us: a service, and not the terminal that we were typed into. */
function isAlone(session: Process[]): boolean {
  const byPid = new Map(session.map((member) => [member.pid, member]))
  let steps = 0
  for (let next = byPid.get(process.pid); next; next = byPid.get(next.parent)) steps++
  return steps === session.length
}

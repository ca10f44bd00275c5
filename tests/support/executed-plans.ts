// Records the plan of every statement that a database runs, with the rows that each of its nodes has read. The
// extension auto_explain of a Postgres server reports the plan of a prepared statement as it is executed.
import pg from 'pg'
import { vi } from 'vitest'

export interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Scan Direction'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  Plans?: PlanNode[]
}

export interface ExecutedPlan {
  text: string
  root: PlanNode
}

const REPORT = [
  'session_preload_libraries=auto_explain',
  'auto_explain.log_min_duration=0',
  'auto_explain.log_analyze=on',
  'auto_explain.log_timing=off',
  'auto_explain.log_format=json',
  'auto_explain.log_level=notice',
]

/**
 * Starts to record. The connecting role must be a superuser, and the server must have the contributed modules.
 * @returns a URL, whose connections are recorded, and their plans
 */
export function recordPlans(databaseUrl: string) {
  const url = new URL(databaseUrl)
  url.searchParams.append('options', REPORT.map((setting) => `-c ${setting}`).join(' '))
  const plans: ExecutedPlan[] = []
  const known = new WeakSet<pg.Client>()
  const query = pg.Client.prototype.query
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
    this: pg.Client,
    ...given: unknown[]
  ) {
    if (!known.has(this)) {
      known.add(this)
      this.on('notice', ({ message = '' }) => {
        const [, json] = /^duration: .*? plan:\s*(\{.*)/s.exec(message) ?? []
        if (json === undefined) return
        const { 'Query Text': text, Plan: root } = JSON.parse(json)
        plans.push({ text, root })
      })
    }
    return query.apply(this, given as never)
  } as never)
  return { url: url.href, plans, stop: () => spy.mockRestore() }
}

/** Lists the nodes of a plan that read a table or an index. */
export function scansOf(node: PlanNode): PlanNode[] {
  const isScan = node['Relation Name'] !== undefined || node['Node Type'] === 'Bitmap Index Scan'
  const isWrite = node['Node Type'] === 'ModifyTable'
  return [...(isScan && !isWrite ? [node] : []), ...(node.Plans ?? []).flatMap(scansOf)]
}

/** Returns the number of rows that scans have read, including those that a filter has removed. */
export function rowsReadBy(scans: PlanNode[]): number {
  const rowsOf = (scan: PlanNode) =>
    scan['Actual Rows'] + (scan['Rows Removed by Filter'] ?? 0) + (scan['Rows Removed by Index Recheck'] ?? 0)
  return scans.reduce((sum, scan) => sum + rowsOf(scan) * scan['Actual Loops'], 0)
}

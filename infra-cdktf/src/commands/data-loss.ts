// Finds resources with data that a plan would delete or replace. A reviewer can overlook such a line in a
// long plan.

/**
 * Types that contain data, and the key that encrypts it: without the key the data cannot be read. The cache
 * holds no task state, but while it is replaced no task starts.
 */
const HOLDS_DATA = [
  'aws_db_instance',
  'aws_ebs_volume',
  'aws_elasticache_replication_group',
  'aws_kms_key',
  'aws_s3_bucket',
]

/** The part of `terraform show -json PLAN` that is used here. */
export interface Plan {
  resource_changes?: { address: string; type: string; change: { actions: string[] } }[]
}

export interface DataLoss {
  address: string
  action: 'delete' | 'replace'
}

/** Returns the data losses of a plan. @param allowed addresses that may be lost */
export function dataLossesIn(plan: Plan, allowed: string[]): DataLoss[] {
  return (plan.resource_changes ?? [])
    .filter(({ type, address, change }) => {
      const isLost = change.actions.includes('delete') || change.actions.includes('forget')
      return isLost && HOLDS_DATA.includes(type) && !allowed.includes(address)
    })
    .map(({ address, change }) => ({ address, action: change.actions.length > 1 ? 'replace' : 'delete' }))
}

/** Returns the error message: one line per loss, and how to allow it in a commit that can be reviewed. */
export function describeDataLosses(losses: DataLoss[]): string {
  return [
    'This plan is rejected because it would lose data:',
    ...losses.map(({ address, action }) => `  ${action} ${address}`),
    `To allow it, add the addresses to mayLose of the environment: [${losses.map(({ address }) => `'${address}'`).join(', ')}]`,
  ].join('\n')
}

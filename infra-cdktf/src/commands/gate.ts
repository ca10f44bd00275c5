// What a plan may not do unasked: delete or replace what holds data. A review that overlooks one line of a thousand
// must not cost a database.

/** Types whose loss is the loss of data: the database, volumes, the state, and the key without which none can be read. */
const HOLDS_DATA = ['aws_db_instance', 'aws_ebs_volume', 'aws_s3_bucket', 'aws_kms_key']

/** Of `terraform show -json PLAN`: what is used here. */
export interface Plan {
  resource_changes?: { address: string; type: string; change: { actions: string[] } }[]
}

export interface Refusal {
  address: string
  does: 'delete' | 'replace'
}

/** @param allowed addresses that may be lost, as the plan writes them */
export function refusalsIn(plan: Plan, allowed: string[]): Refusal[] {
  return (plan.resource_changes ?? [])
    .filter(({ type, address, change }) => {
      const isLost = change.actions.includes('delete') || change.actions.includes('forget')
      return isLost && HOLDS_DATA.includes(type) && !allowed.includes(address)
    })
    .map(({ address, change }) => ({ address, does: change.actions.length > 1 ? 'replace' : 'delete' }))
}

/** One line for each, and how it can be allowed, in a commit that others see. */
export function messageOf(refusals: Refusal[]): string {
  return [
    'This plan would lose data, and is refused:',
    ...refusals.map(({ address, does }) => `  ${does} ${address}`),
    `If that is what you want, name it in the environment's mayLose: [${refusals.map(({ address }) => `'${address}'`).join(', ')}]`,
  ].join('\n')
}

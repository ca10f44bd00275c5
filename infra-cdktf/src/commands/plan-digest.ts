// The digest of a plan. A saved plan contains the whole state, so it is not passed from one job of a workflow
// to another. The second job plans again and compares the digests.
import { createHash } from 'node:crypto'

type Values = Record<string, unknown>

/** The part of `terraform show -json PLAN` that is used here. `before` is null for a new resource. */
export interface PlannedChanges {
  resource_changes?: {
    address: string
    change: { actions: string[]; before?: Values | null; after?: Values | null; after_unknown?: Values }
  }[]
}

/** Returns the SHA-256, in hexadecimal digits, of the actions of a plan and of the values that they set. */
export function digestOf({ resource_changes: changes = [] }: PlannedChanges): string {
  const planned = changes
    .filter(({ change }) => change.actions.some((action) => action !== 'no-op' && action !== 'read'))
    .map(({ address, change: { actions, before, after, after_unknown: unknown } }) => {
      // AWS changes some values by itself, for example the latest time to which a database can be restored.
      // Those are the same before and after.
      const set = Object.entries(after ?? {}).filter(
        ([name, value]) => textOf(value) !== textOf(before?.[name]),
      )
      return { address, actions, set: Object.fromEntries(set), unknown }
    })
    .toSorted((a, b) => (a.address < b.address ? -1 : 1))
  return createHash('sha256').update(textOf(planned)).digest('hex')
}

/** Returns the value as JSON. Objects with the same entries have the same text. */
const textOf = (value: unknown): string => JSON.stringify(value ?? null, sortKeys)

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

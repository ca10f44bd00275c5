// What a rule is.
import type { Config } from '../config/schema.ts'
import type { Resource, Stack } from './stack.ts'

export interface Rule {
  /** A sentence that should be true. */
  name: string
  /** The same in checkov and trivy, and what of theirs is left out and why. */
  ids: string
  /** Where it is not true: addresses, with a word where one rule looks at several things. */
  find(stack: Stack, config: Config): string[]
}

/** Addresses of the resources of which something is not true. */
export const unless = (resources: Resource[], isRight: (values: Resource['values']) => boolean): string[] =>
  resources.filter(({ values }) => !isRight(values)).map(({ address }) => address)

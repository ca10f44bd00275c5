// The type of a rule, and a helper that finds violations.
import type { Config } from '../config/schema.ts'
import type { Resource, Stack } from './stack.ts'

export interface Rule {
  /** A sentence that is true for every valid stack. */
  name: string
  /** Returns the addresses of violations, with a note if the rule checks several properties. */
  find(stack: Stack, config: Config): string[]
}

/** Returns the addresses of the resources that do not meet the condition. */
export const unless = (resources: Resource[], isRight: (values: Resource['values']) => boolean): string[] =>
  resources.filter(({ values }) => !isRight(values)).map(({ address }) => address)

// What the emulator moto 5.2.5 lacks. All of this exists on AWS, and `terraform validate` and `terraform plan` of the
// real provider check it. Nothing here changes the product: only what the tests apply.
import type { Json } from '../../test/support/layouts.ts'

/** Resources that are left out of an apply, by type, with what the emulator lacks. */
export const MISSING_RESOURCES: Record<string, string> = {}

/** Attributes that a second plan may change, by type and attribute, with what the emulator returns instead. */
export const MISSING_ATTRIBUTES: Record<string, Record<string, string>> = {}

/** Returns the stack without what the emulator lacks. */
export function emulated(stack: Json): Json {
  const changed = structuredClone(stack)
  for (const type of Object.keys(MISSING_RESOURCES)) delete changed.resource[type]
  return changed
}

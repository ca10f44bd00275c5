// Limits the nesting of JSON, so that recursive code cannot exceed the stack.

// Maximum number of levels of inputs, results and log fields. Documents that people write have fewer, and
// parsers exceed the stack at a few thousand levels.
export const MAX_DEPTH = 100

/**
 * Checks whether a value is nested deeper than `levels`. Recurses only to that depth, so that it cannot
 * exceed the stack itself.
 */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member))
}

/**
 * Checks whether a JSON text is nested deeper than `levels`. The serialized text must be checked, not the
 * value: they can have different depths, because `toJSON` replaces objects.
 */
export function isTextDeeperThan(levels: number, text: string): boolean {
  // Each level of nesting takes two brackets, so a text of at most twice `levels` characters cannot be too
  // deep. Most results are that short and need no scan.
  if (text.length <= 2 * levels) return false
  let depth = 0
  let isInString = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (character === '"') isInString = !isInString
    else if (character === '\\') index++
    else if (isInString) continue
    else if (character === '[' || character === '{') depth++
    else if (character === ']' || character === '}') depth--
    if (depth > levels) return true
  }
  return false
}

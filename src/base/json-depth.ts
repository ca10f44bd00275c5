// Limits the nesting of JSON, so that recursive code cannot exceed the stack.

// Documents that people write are nested less. Parsers exceed the stack at a few thousand levels.
export const MAX_DEPTH = 100

/**
 * Checks whether a value is nested deeper than `levels`. Recurses only to that depth, so the stack suffices.
 */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member))
}

/**
 * Checks whether a JSON text is nested deeper than `levels`. Use it where clients get the text: the value
 * from which it was written can have another depth, because `toJSON` replaces objects.
 */
export function isTextDeeperThan(levels: number, text: string): boolean {
  // Each level takes two brackets, so a text of this length cannot be too deep. Most results are this short.
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

// Limits the nesting of JSON, so that recursive code cannot run out of stack.

// Deeper than documents that people write. Parsers run out of stack at some thousand levels.
export const MAX_DEPTH = 100

/** Whether a value is nested deeper than this. Stops at the limit, so it cannot run out of stack itself. */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member))
}

/**
 * Whether JSON has more levels than a result may have. Counts brackets in the text, which is what others will read,
 * whatever objects it came from.
 */
export function isTextDeeperThan(levels: number, text: string): boolean {
  // Every level takes two brackets: most results need no look.
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

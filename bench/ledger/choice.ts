// Chooses measurements by their names.

/**
 * Returns the chosen measurements in the order of `all`.
 * @param choice names with commas between them. Default: all measurements
 * @throws Error for an unknown name
 */
export function chooseMeasurements(all: string[], choice?: string): string[] {
  if (choice === undefined) return all
  const names = choice.split(',')
  const unknown = names.find((name) => !all.includes(name))
  if (unknown !== undefined) throw new Error(`Unknown measurement "${unknown}": expected ${all.join(', ')}`)
  return all.filter((name) => names.includes(name))
}

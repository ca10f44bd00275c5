// Bounds the number of labels in metrics and statistics: clients can choose any number of different names.

/** The shared label of all names without a label of their own. */
export const OTHER = 'other'

/**
 * Returns a function from name to label. Known names and the first `extra` others keep their name as label,
 * all further names get `other`.
 */
export function boundedLabels(known: string[], extra = 0): (name: string) => string {
  const labels = new Set(known)
  const maxLabels = labels.size + extra
  return (name) => {
    if (labels.has(name)) return name
    if (labels.size >= maxLabels) return OTHER
    labels.add(name)
    return name
  }
}

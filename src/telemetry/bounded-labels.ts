// Bounds the number of label values in metrics and statistics. Some names, e.g. of queues, come from clients,
// so their number is unlimited.

/** The label that all names beyond the limit share. */
export const OTHER = 'other'

/**
 * Returns a function from name to label. The known names, and the first `extra` other names that occur, are
 * their own labels; all further names get the label `other`.
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

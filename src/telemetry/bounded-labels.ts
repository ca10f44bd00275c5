// Names that callers choose are endless; labels that are kept by name must not be.

/** What is told of all that have no label of their own. */
export const OTHER = 'other'

/** What is known is its own label; beyond that the first `extra` names that come along are, and all further are `other`. */
export function boundedLabels(known: string[], extra = 0): (name: string) => string {
  const labels = new Set(known)
  const most = labels.size + extra
  return (name) => {
    if (labels.has(name)) return name
    if (labels.size >= most) return OTHER
    labels.add(name)
    return name
  }
}

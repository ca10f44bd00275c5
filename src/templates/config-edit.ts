// Adds a task to the text of `waggle.config.ts`.

export interface AddedTask {
  /** Name of the exported definition. */
  identifier: string
  /** Path of its module, as the configuration imports it. */
  path: string
}

export function importOf({ identifier, path }: AddedTask): string {
  // Not one text, which tools that search this file for imports would find.
  return ['import', `{ ${identifier} }`, 'from', `'${path}'`].join(' ')
}

/** An import over one or several lines, from its beginning to the end of its line. */
const IMPORT = /^import\s(?:[^'"]*?from\s*)?['"][^'"]+['"];?[^\n]*$/gm
/** The list of tasks, if it contains names only. */
const TASKS = /\btasks:\s*\[(?<list>[^\]]*)\]/g

/**
 * Returns the text with an import of the task after the other imports, and with the task at the end of
 * `tasks: […]`. Returns undefined if the text has no imports, or not exactly one such list.
 */
export function addToConfig(text: string, task: AddedTask): string | undefined {
  const lists = [...text.matchAll(TASKS)]
  const lastImport = [...text.matchAll(IMPORT)].at(-1)
  const [found] = lists
  if (lists.length !== 1 || !found?.groups || !lastImport || found.index < lastImport.index) return undefined
  const list = found.groups.list ?? ''
  // A comment in the list could hide the new entry.
  if (/\/\/|\/\*/.test(list)) return undefined
  const listStart = found.index + found[0].indexOf('[') + 1
  const importEnd = lastImport.index + lastImport[0].length
  return (
    `${text.slice(0, importEnd)}\n${importOf(task)}${text.slice(importEnd, listStart)}` +
    `${withEntry(list, task.identifier)}${text.slice(listStart + list.length)}`
  )
}

/** Adds an entry to the content of a list, on a line of its own if the other entries have one. */
function withEntry(list: string, entry: string): string {
  const content = list.trimEnd()
  if (content.trim() === '') return entry
  const end = list.slice(content.length)
  const separator = content.endsWith(',') ? '' : ','
  if (!end.includes('\n')) return `${content}${separator} ${entry}${end}`
  const indent = /\n([ \t]*)\S[^\n]*$/.exec(content)?.[1] ?? '    '
  return `${content}${separator}\n${indent}${entry},${end}`
}

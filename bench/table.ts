// Formats rows as a Markdown table that is aligned for terminals, too.

/** @param rows the first row is the head. The first column is aligned to the left, all others to the right */
export function tableOf([head = [], ...body]: string[][]): string[] {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...body].map((row) => row[column]?.length ?? 0), 3),
  )
  const pad = (cell: string, at: number) =>
    at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)
  const line = (row: string[]) => `| ${row.map(pad).join(' | ')} |`
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), `| ${rule.join(' | ')} |`, ...body.map(line)]
}

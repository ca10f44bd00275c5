// The command `init`: creates a project.
import { relative } from 'node:path'
import { createProject } from '../templates/new-project.ts'

export async function init(folder: string, { samples = false }: { samples?: boolean }): Promise<void> {
  const written = createProject(folder, { samples })
  const change = relative(process.cwd(), folder)
  process.stdout.write(`Created the project:
${written.map((path) => `  ${path}`).join('\n')}
Next:
${change ? `  cd ${quoted(change)}\n` : ''}  npm install
  npm run dev      # then open http://127.0.0.1:8000
`)
}

/** Quotes a path for a shell if it has other characters than usual ones. */
function quoted(path: string): string {
  return /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

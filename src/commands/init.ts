// The command `init`: creates a project, or adds what runs it in containers.
import { relative } from 'node:path'
import { createProject, type Parts } from '../templates/new-project.ts'

export async function init(
  folder: string,
  { samples = false, containers = false }: Partial<Parts>,
): Promise<void> {
  const written = createProject(folder, { samples, containers })
  const isNew = written.includes('package.json')
  const change = relative(process.cwd(), folder)
  process.stdout.write(`${isNew ? 'Created the project' : 'Wrote'}:
${written.map((path) => `  ${path}`).join('\n')}
Next:
${change ? `  cd ${quoted(change)}\n` : ''}${isNew ? PROJECT_STEPS : ''}${containers ? CONTAINER_STEPS : ''}`)
}

const PROJECT_STEPS = `  npm install
  npm run dev      # then open http://127.0.0.1:8000
`

// The first step is needed as long as no image is published.
const CONTAINER_STEPS = `In containers:
  docker build -t waggle-core --target core --build-context package=node_modules/waggle-tasks node_modules/waggle-tasks/docker
  node_modules/waggle-tasks/docker/init-env.sh   # once: writes .env with secrets, and prints your API key
  docker compose up -d --build --wait            # then open http://localhost/
`

/** Quotes a path for a shell if it has other characters than usual ones. */
function quoted(path: string): string {
  return /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

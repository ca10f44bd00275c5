// The command `init`: creates a project, or adds what runs it in containers or on AWS.
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createProject, type Parts } from '../templates/new-project.ts'

export async function init(
  folder: string,
  { samples = false, containers = false, aws = false }: Partial<Parts>,
): Promise<void> {
  const { isNew, written, scripts } = createProject(folder, { samples, containers, aws })
  const change = relative(process.cwd(), folder)
  const lines = [
    isNew ? 'Created the project:' : 'Wrote:',
    ...written.map((path) => `  ${path}`),
    ...(scripts ? scriptLines(scripts) : []),
    ...(aws && !isIgnoredByDocker(folder) ? IGNORE_LINES : []),
    'Next:',
    ...(change ? [`  cd ${quoted(change)}`] : []),
    ...(isNew ? [PROJECT_STEPS] : []),
    ...(containers ? [CONTAINER_STEPS] : []),
    ...(aws ? [AWS_STEPS] : []),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function scriptLines({ added, kept }: { added: string[]; kept: string[] }): string[] {
  return [
    ...(added.length > 0 ? ['Added these scripts to package.json:', `  ${added.join(' ')}`] : []),
    ...(kept.length > 0 ? ['package.json keeps its own scripts:', `  ${kept.join(' ')}`] : []),
  ]
}

const IGNORE_LINES = [
  'Add this line to .dockerignore, because saved plans must not be in images:',
  '  infra-cdktf',
]

function isIgnoredByDocker(folder: string): boolean {
  const file = join(folder, '.dockerignore')
  return existsSync(file) && /^\/?infra-cdktf\/?$/m.test(readFileSync(file, 'utf8'))
}

const PROJECT_STEPS = `  npm install
  npm run dev      # then open http://127.0.0.1:8000`

// The first step is needed as long as no image is published.
const CONTAINER_STEPS = `In containers:
  docker build -t waggle-core --target core --build-context package=node_modules/waggle-tasks node_modules/waggle-tasks/docker
  node_modules/waggle-tasks/docker/init-env.sh   # once: writes .env with secrets, and prints your API key
  docker compose up -d --build --wait            # then open http://localhost/`

const AWS_STEPS = `On AWS, signed in with administrator rights, after an edit of infra-cdktf/account.ts and environments.ts:
  npm install --prefix infra-cdktf
  npm run infra:apply -- shared --first
  npm run infra:plan -- prod && npm run infra:apply -- prod
  npm run infra:init-secrets -- prod             # prints your API key
Then set the variables AWS_ACCOUNT_ID and AWS_REGION of the GitHub repository, commit, and push to main`

/** Quotes a path for a shell if it has other characters than usual ones. */
function quoted(path: string): string {
  return /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

// What deploys a project to AWS: its folder infra-cdktf, its workflow, and its scripts.
import { type ProjectFiles, readDependencies, readTemplate, withValues } from './template-files.ts'

const COMMANDS = [
  ...['synth', 'plan', 'apply', 'init-secrets', 'rollout', 'rollback', 'smoke'],
  ...['destroy', 'status', 'logs', 'exec', 'restore', 'rotate', 'adopt'],
]

/** The scripts `infra:…` of package.json. */
export const AWS_SCRIPTS: Record<string, string> = Object.fromEntries(
  COMMANDS.map((command) => [`infra:${command}`, `node infra-cdktf/main.ts ${command}`]),
)

/** @param isNew whether the project is new. Then the smoke test submits its first task. */
export function awsFiles(name: string, isNew: boolean): ProjectFiles {
  const { [MAIN]: main = '', ...template } = readTemplate('aws')
  const files = Object.entries(template).map(([path, text]) => [path, withValues(text, { name })])
  return {
    ...Object.fromEntries(files),
    [MAIN]: isNew ? main : main.replace(SMOKE_TASK, "// smokeTask: { name: 'a_task', input: {} },"),
    'infra-cdktf/package.json': packageJson(name),
  }
}

const MAIN = 'infra-cdktf/main.ts'
const SMOKE_TASK = /smokeTask: .*/

/** The packages of cdktf have 700 MB, so only this folder has them, and not the images of the project. */
function packageJson(name: string): string {
  const { dependencies } = readDependencies().aws
  const content = { name: `${name}-infra`, private: true, type: 'module', dependencies }
  return `${JSON.stringify(content, null, 2)}\n`
}

// `waggle-tasks/aws`: what main.ts of a project calls. It imports nothing of cdktf itself, because the packages
// of cdktf are found only after `usePackagesOf`.
import { join } from 'node:path'
import { type AwsProject, readConfigs } from './config/project.ts'
import { usePackagesOf } from './project-packages.ts'

export type { AwsProject, Environments, SmokeTask } from './config/project.ts'
export type { AccountInput, EnvironmentInput } from './config/schema.ts'

/** Commands that generate Terraform, for which the packages of cdktf must be installed. */
const STACK_COMMANDS = ['synth', 'plan', 'apply', 'destroy', 'adopt']

/**
 * Runs the command in the arguments of this process. Without arguments it writes the Terraform of all stacks to
 * cdktf.out, as the command line of cdktf expects. An error is printed, and the exit code is then 1.
 */
export async function run(project: AwsProject): Promise<void> {
  const args = process.argv.slice(2)
  try {
    usePackagesOf(project.folder)
    const [command] = args
    if (command === undefined) await synthesizeForCdktf(project)
    else if (STACK_COMMANDS.includes(command))
      await (await import('./commands/stack-command.ts')).runStackCommand(project, args)
    else await (await import('../scripts/operation.ts')).runOperation(project, args)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}

/** With WAGGLE_TARGET=emulator the stacks use the endpoint in AWS_ENDPOINT_URL and a local state. */
async function synthesizeForCdktf(project: AwsProject): Promise<void> {
  const { synthesize } = await import('./synthesize.ts')
  const target = process.env.WAGGLE_TARGET === 'emulator' ? 'emulator' : undefined
  synthesize(readConfigs(project, target), { state: 's3', folder: join(project.folder, 'cdktf.out') })
}

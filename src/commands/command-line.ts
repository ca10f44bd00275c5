// The command line of `waggle`: parses the arguments, prepares the environment, and runs the command.

import { Command, CommanderError, type OutputConfiguration } from 'commander'
import { VERSION } from '../base/installation.ts'
import type { Environment } from '../config.ts'
import { needsOf, termOf } from './command-text.ts'
import { prepare } from './prepare.ts'
import { addProjectCommands } from './project-commands.ts'
import { addServerCommands } from './server-commands.ts'
import { addTaskCommands } from './task-commands.ts'
import { EXIT_USAGE } from './usage-error.ts'

// Width of the help text. It does not depend on the terminal, because lines of this width are well readable.
const HELP_WIDTH = 100

/**
 * Runs the command that the arguments name. Resolves when the command has ended, or when its servers have
 * started.
 * @param environment the variables of this process. Those of the file .env are added to it
 * @throws UsageError; errors of the command
 */
export async function runCommand(args: string[], environment: Environment): Promise<void> {
  // A reader that closes the pipe early (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  try {
    await createProgram(environment).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Commander has printed the help, the version or the error.
    if (error.exitCode !== 0) process.exitCode = EXIT_USAGE
  }
}

export function createProgram(environment: Environment): Command {
  const program = new Command('waggle')
    .description('Background tasks behind an HTTP API.')
    .usage('<command> [options]')
    .version(VERSION, '-V, --version', 'print the version of Waggle')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .option('--config <file>', 'configuration of the project, instead of waggle.config.ts (WAGGLE_CONFIG)')
    .configureHelp({ showGlobalOptions: true, subcommandTerm: termOf })
    .configureOutput(OUTPUT)
    .showHelpAfterError('Try the option --help.')
    .exitOverride()
    .hook('preAction', (_, command) =>
      prepare(command.name(), needsOf(command), environment, command.optsWithGlobals()),
    )
  addServerCommands(program, environment)
  addProjectCommands(program, environment)
  addTaskCommands(program, environment)
  return program.addHelpText('after', SETTINGS_HELP)
}

const SETTINGS_HELP = `
\`waggle <command> --help\` describes a command.
Settings are environment variables. Commands of a project also read them from the file .env in the current
folder (WAGGLE_ENV_FILE names another one). Variables of the environment replace those of the file, and
empty ones count as unset. A .env of Docker Compose (with COMPOSE_PROFILES or COMPOSE_FILE) is not read.
Exit codes: 0 success, 1 failure, 2 wrong usage. Results go to standard output, messages to standard error.`

const OUTPUT: OutputConfiguration = {
  getOutHelpWidth: () => HELP_WIDTH,
  getErrHelpWidth: () => HELP_WIDTH,
}

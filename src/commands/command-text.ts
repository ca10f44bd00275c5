// The help of a command, and what the command needs.
import type { Command } from 'commander'
import type { Needs } from './prepare.ts'

export interface CommandText {
  /** Heading of the list of commands. */
  group: string
  /** One line, for the list of commands. */
  summary: string
  description: string
  /** Command lines. */
  examples: string[]
  needs: Needs
}

const NEEDS = new WeakMap<Command, Needs>()

/** Adds a command that has only one subcommand. The list of commands shows both as one. */
export function addParent(
  parent: Command,
  name: string,
  text: Pick<CommandText, 'group' | 'summary'>,
): Command {
  return parent
    .command(name)
    .helpGroup(text.group)
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .summary(text.summary)
    .description(text.summary)
}

/** Adds a command without its options and its action. */
export function addCommand(parent: Command, nameAndArguments: string, text: CommandText): Command {
  const command = parent
    .command(nameAndArguments)
    .helpGroup(text.group)
    .helpOption('-h, --help', 'print this help')
    .summary(text.summary)
    .helpCommand(false)
    .description(text.description.replaceAll('\n', ' '))
    .addHelpText('after', `\nExamples:\n${text.examples.map((example) => `  ${example}`).join('\n')}`)
  NEEDS.set(command, text.needs)
  return command
}

export function needsOf(command: Command): Needs {
  return NEEDS.get(command) ?? 'nothing'
}

/** How the list of commands shows a command: with its only subcommand, and with its arguments. */
export function termOf(command: Command): string {
  const [only, ...others] = command.commands
  if (only && others.length === 0) return `${command.name()} ${termOf(only)}`
  const args = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  )
  return [command.name(), ...args].join(' ')
}

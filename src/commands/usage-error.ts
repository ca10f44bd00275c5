// Exit codes of the command line besides 0 (it worked) and 1 (it failed).

/** Exit code for wrong usage: an unknown command or option, or a value that is not valid. */
export const EXIT_USAGE = 2

/** Wrong usage of a command. `main.ts` prints the message and ends with `exitCode`. */
export class UsageError extends Error {
  readonly exitCode = EXIT_USAGE
}

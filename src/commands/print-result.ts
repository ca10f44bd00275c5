// Prints the result of a command.

/** Writes JSON to standard output. A reader that closes the pipe early (`| head`) is no error. */
export function printJson(value: unknown): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

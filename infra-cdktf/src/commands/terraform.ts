// Runs Terraform in the folder of a stack.
import { spawn } from 'node:child_process'

export interface Terraform {
  /** Runs a command and shows its output. @throws Error if it fails */
  run(command: string, ...args: string[]): Promise<void>
  /** Runs a command. @returns its standard output. @throws Error if it fails */
  read(...args: string[]): Promise<string>
}

const COLORED_COMMANDS = ['init', 'plan', 'apply', 'destroy']

export function createTerraform(folder: string): Terraform {
  const start = (args: string[], output: 'inherit' | 'pipe') =>
    new Promise<string>((resolve, reject) => {
      const child = spawn('terraform', args, { cwd: folder, stdio: ['inherit', output, 'inherit'] })
      let text = ''
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      child.on('error', (error) => reject(startError(error)))
      child.on('close', (code) =>
        code === 0 ? resolve(text) : reject(new Error(`terraform ${args[0]} failed with exit code ${code}`)),
      )
    })
  return {
    async run(command, ...args) {
      // Workflows store the output as text, so it must contain no color codes.
      const isPlain = !process.stdout.isTTY && COLORED_COMMANDS.includes(command)
      await start([command, ...(isPlain ? ['-no-color'] : []), ...args], 'inherit')
    },
    read: (...args) => start(args, 'pipe'),
  }
}

const startError = (error: NodeJS.ErrnoException) =>
  new Error(
    error.code === 'ENOENT'
      ? 'terraform is not installed, or not in PATH: this command needs version 1.11 or newer'
      : `terraform cannot be started: ${error.message}`,
  )

// Runs terraform in the folder of a stack.
import { spawn } from 'node:child_process'

export interface Terraform {
  /** Shows what it says. @throws when it fails */
  run(command: string, ...args: string[]): Promise<void>
  /** @returns what it says. @throws when it fails */
  read(...args: string[]): Promise<string>
}

const COLOURED = ['init', 'plan', 'apply', 'destroy']

export function createTerraform(folder: string): Terraform {
  const start = (args: string[], output: 'inherit' | 'pipe') =>
    new Promise<string>((resolve, reject) => {
      const child = spawn('terraform', args, { cwd: folder, stdio: ['inherit', output, 'inherit'] })
      let text = ''
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      child.on('error', (error) => reject(new Error(`terraform cannot be started: ${error.message}`)))
      child.on('close', (code) =>
        code === 0 ? resolve(text) : reject(new Error(`terraform ${args[0]} has failed (${code})`)),
      )
    })
  return {
    async run(command, ...args) {
      // What a workflow keeps is read as text.
      const isPlain = !process.stdout.isTTY && COLOURED.includes(command)
      await start([command, ...(isPlain ? ['-no-color'] : []), ...args], 'inherit')
    },
    read: (...args) => start(args, 'pipe'),
  }
}

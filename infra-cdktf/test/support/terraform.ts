// Runs Terraform if it is installed.
import { execFile, spawnSync } from 'node:child_process'

export const hasTerraform = spawnSync('terraform', ['version']).status === 0
if (!hasTerraform) process.stderr.write('terraform is not installed; its tests are skipped\n')

export interface Outcome {
  code: number
  output: string
}

export function createTerraform(env: NodeJS.ProcessEnv) {
  return (folder: string, ...args: string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      execFile(
        'terraform',
        [...args, ...(args[0] === 'version' ? [] : ['-no-color'])],
        { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) =>
          // Remove the frames that Terraform draws around messages.
          resolve({
            code: error ? Number(error.code) || 1 : 0,
            output: `${stdout}${stderr}`.replace(/[│╷╵]/g, ''),
          }),
      )
    })
}

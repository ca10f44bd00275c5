// Installs the packages of a system in Python into a virtual environment in its folder.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The interpreter with the packages of the folder. It exists after `installRequirements`. */
export function pythonIn(folder: string): string {
  return join(folder, '.venv/bin/python')
}

/**
 * Creates the virtual environment if it does not exist and installs `requirements.txt` of the folder. Takes about
 * half a minute at first, and a few seconds and no network when all packages are installed.
 * @param python the interpreter that creates the environment
 * @returns the version of Python, or the problem because of which the packages cannot be used
 */
export function installRequirements(
  folder: string,
  python = 'python3',
): { version: string } | { problem: string } {
  if (spawnSync(python, ['-c', 'import venv, ensurepip']).status !== 0)
    return { problem: `${python} with venv is not installed` }
  // venv installs pip last, so an environment without pip is not complete.
  if (!existsSync(join(folder, '.venv/bin/pip'))) {
    const venv = runProgram(python, ['-m', 'venv', join(folder, '.venv')])
    if (!venv.isSuccess) return { problem: `venv could not create ${folder}/.venv: ${venv.output}` }
  }
  const requirements = join(folder, 'requirements.txt')
  const options = ['--quiet', '--disable-pip-version-check', '--requirement', requirements]
  const pip = runProgram(pythonIn(folder), ['-m', 'pip', 'install', ...options])
  if (!pip.isSuccess) return { problem: `pip could not install ${requirements}: ${pip.output}` }
  return { version: runProgram(pythonIn(folder), ['--version']).output }
}

function runProgram(program: string, args: string[]): { isSuccess: boolean; output: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return { isSuccess: status === 0, output: `${stdout}${stderr}`.trim() }
}

// Python for tests of recipes. Its standard library suffices.
import { spawnSync } from 'node:child_process'

const MINIMUM = '3.9'
const CHECK = `import sys; sys.exit(sys.version_info < (${MINIMUM.replace('.', ', ')}))`

/** Whether `python3` is installed and new enough. Tests that need it are skipped otherwise, and the output says so. */
export function hasPython(): boolean {
  const isInstalled = spawnSync('python3', ['-c', CHECK]).status === 0
  if (!isInstalled)
    process.stdout.write(`Recipes in Python are not tested: there is no python3 from ${MINIMUM} on\n`)
  return isInstalled
}

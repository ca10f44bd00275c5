// Describes the code that runs, as `function file:line` per stack frame.
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getCallSites } from 'node:util'

// Number of frames that are read, and that are returned. The innermost ones are those of this module, and
// often of Node.
const READ = 30
const RETURNED = 5

/**
 * Returns the innermost frames of the current stack, without those of the watchdog and of Node, the innermost
 * first. Reads no property that code of a task can have replaced, e.g. `Error.prepareStackTrace`.
 */
export function currentFrames(): string[] {
  return getCallSites(READ)
    .filter(({ scriptName }) => scriptName !== '' && !scriptName.startsWith('node:'))
    .filter(({ scriptName }) => !scriptName.includes('/worker/watchdog/'))
    .slice(0, RETURNED)
    .map(({ functionName, scriptName, lineNumber }) =>
      `${functionName} ${pathOf(scriptName)}:${lineNumber}`.trim(),
    )
}

/** Returns the path of a script, relative to the working directory. */
function pathOf(scriptName: string): string {
  if (!scriptName.startsWith('file:')) return scriptName
  return relative(process.cwd(), fileURLToPath(scriptName))
}

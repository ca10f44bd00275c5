// The command `doctor`: checks what the commands of a project need.
import { VERSION } from '../base/installation.ts'
import type { Environment } from '../config.ts'
import { runChecks } from '../doctor/checks.ts'

/** @throws Error if a check has found something wrong */
export async function doctor(environment: Environment): Promise<void> {
  let faults = 0
  for await (const { isOk, text } of runChecks(environment, VERSION)) {
    if (!isOk) faults++
    process.stdout.write(`${isOk ? 'ok    ' : 'wrong '} ${text.replaceAll('\n', '\n       ')}\n`)
  }
  if (faults > 0) throw new Error(faults === 1 ? 'One check is wrong' : `${faults} checks are wrong`)
}

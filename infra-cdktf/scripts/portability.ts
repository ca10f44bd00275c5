// Verifies that the maintained fork of cdktf and its bindings generates the same Terraform from the same
// source. Installs it in a temporary folder, with aliases in package.json, and compares the output. It
// downloads half a gigabyte, so it is not part of the tests.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const FORK = {
  cdktf: 'npm:cdktn@0.24.0',
  cdktn: '0.24.0',
  '@cdktf/provider-aws': 'npm:@cdktn/provider-aws@25.7.0',
  constructs: '10.6.0',
}

const ROOT = join(import.meta.dirname, '..')
const fork = mkdtempSync(join(tmpdir(), 'waggle-portability-'))
try {
  for (const part of ['main.ts', 'account.ts', 'environments.ts', 'src', 'scripts', 'host', 'cdktf.json'])
    cpSync(join(ROOT, part), join(fork, part), { recursive: true })
  const { dependencies, type } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  writeFileSync(
    join(fork, 'package.json'),
    JSON.stringify({ type, dependencies: { ...dependencies, ...FORK } }),
  )
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: fork,
    stdio: 'inherit',
  })
  const [original, forked] = [synthesizedIn(ROOT), synthesizedIn(fork)]
  const different = Object.keys({ ...original, ...forked }).filter(
    (stack) => original[stack] !== forked[stack],
  )
  process.stdout.write(
    different.length === 0
      ? `The fork generates the same Terraform: ${Object.keys(original).join(', ')}\n`
      : `Different: ${different.join(', ')}; compare cdktf.out/stacks in ${ROOT} and ${fork}\n`,
  )
  process.exitCode = different.length === 0 ? 0 : 1
} finally {
  if (process.exitCode === 0) rmSync(fork, { recursive: true })
}

/** Synthesizes in a folder. @returns the JSON by stack, without the metadata "//", which contains versions */
function synthesizedIn(folder: string): Record<string, string> {
  execFileSync(process.execPath, ['main.ts'], { cwd: folder, stdio: 'inherit' })
  const stacks = join(folder, 'cdktf.out/stacks')
  return Object.fromEntries(
    readdirSync(stacks).map((name) => {
      const { '//': _, ...json } = JSON.parse(readFileSync(join(stacks, name, 'cdk.tf.json'), 'utf8'))
      return [name, JSON.stringify(json)]
    }),
  )
}

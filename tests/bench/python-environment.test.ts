// Tests the installation of Python packages for the bench with requirements that need no network.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { installRequirements, pythonIn } from '../../bench/python-environment.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-python-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const writeRequirements = (packages: string) =>
  writeFileSync(join(folder, 'requirements.txt'), `${packages}\n`)

test('without Python, the problem is returned', () => {
  writeRequirements('')
  expect(installRequirements(folder, 'python-that-is-not-installed')).toEqual({
    problem: 'python-that-is-not-installed with venv is not installed',
  })
})

const hasVenv = spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0

test.skipIf(!hasVenv)(
  'a package that cannot be installed is a problem until the requirements are right',
  () => {
    writeRequirements('./missing-package')
    expect(installRequirements(folder)).toEqual({
      problem: expect.stringMatching(/^pip could not install .*requirements\.txt: .*missing-package/s),
    })

    writeRequirements('# no packages')
    const version = execFileSync('python3', ['--version'], { encoding: 'utf8' }).trim()
    expect(installRequirements(folder)).toEqual({ version })
    const prefix = execFileSync(pythonIn(folder), ['-c', 'import sys; print(sys.prefix)'], {
      encoding: 'utf8',
    })
    expect(prefix.trim()).toBe(join(folder, '.venv'))
  },
)

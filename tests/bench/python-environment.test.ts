// Tests the installation of Python packages for the bench with requirements that need no network.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { installRequirements, pythonIn } from '../../bench/python-environment.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-python-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('without Python, the problem is returned', () => {
  writeFileSync(join(folder, 'requirements.txt'), '')
  expect(installRequirements(folder, 'python-that-is-not-installed')).toEqual({
    problem: 'python-that-is-not-installed with venv is not installed',
  })
})

const hasVenv = spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0

describe.skipIf(!hasVenv)('with Python', () => {
  test('the environment is created, and an existing one is used again', () => {
    writeFileSync(join(folder, 'requirements.txt'), '# no packages\n')
    const version = execFileSync('python3', ['--version'], { encoding: 'utf8' }).trim()
    expect(installRequirements(folder)).toEqual({ version })
    expect(installRequirements(folder)).toEqual({ version })
    const prefix = execFileSync(pythonIn(folder), ['-c', 'import sys; print(sys.prefix)'], {
      encoding: 'utf8',
    })
    expect(prefix.trim()).toBe(join(folder, '.venv'))
  })

  test('a package that cannot be installed is a problem that names the requirements', () => {
    writeFileSync(join(folder, 'requirements.txt'), './missing-package\n')
    expect(installRequirements(folder)).toEqual({
      problem: expect.stringMatching(/^pip could not install .*requirements\.txt: .*missing-package/s),
    })
  })
})

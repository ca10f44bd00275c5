// scripts/aws.ts: how the AWS CLI is started. A fake `aws` in PATH opens the input, as the AWS CLI does.
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

// Prints its arguments, the modes of the input and its folder, and the input, as JSON.
const FAKE = `#!/usr/bin/env bash
set -eu
for argument in "$@"; do case $argument in file://*) path=\${argument#file://} ;; esac; done
jq -n --arg arguments "$*" --arg file "$(stat -c %a "$path")" --arg folder "$(stat -c %a "$(dirname "$path")")" \\
  --slurpfile input <(cat "$path") '{$arguments, $file, $folder, input: $input[0]}'
`
const MODULE = JSON.stringify(new URL('../scripts/aws.ts', import.meta.url).href)
const CALL = `
import { createAws } from ${MODULE}
const aws = createAws('eu-central-1')
console.log(JSON.stringify(await aws(['ssm', 'put-parameter'], { Value: 's3cret', Name: '/a' })))
`

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-aws-test-'))
  mkdirSync(join(folder, 'tmp'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function call(fake: string, script = CALL) {
  writeFileSync(join(folder, 'aws'), fake)
  chmodSync(join(folder, 'aws'), 0o755)
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    env: { PATH: `${folder}:${process.env.PATH}`, TMPDIR: join(folder, 'tmp'), FOLDER: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  const ended = new Promise<{ code: number | null; signal: string | null; output: string }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, output })),
  )
  return { child, ended }
}

const leftFiles = () => readdirSync(join(folder, 'tmp'))

test('the input is a file that the AWS CLI can open and only its user can read, and is removed afterwards', async () => {
  const { code, output } = await call(FAKE).ended
  expect({ code, output }).toMatchObject({ code: 0 })
  const seen = JSON.parse(output)
  expect(seen).toMatchObject({ file: '600', folder: '700', input: { Value: 's3cret', Name: '/a' } })
  expect(seen.arguments).not.toContain('s3cret')
  expect(leftFiles()).toEqual([])
})

test.each([
  ['aws-cli/2.31.4 Python/3.13.7 Linux/6.8 exe/x86_64.ubuntu.24', 0],
  ['aws-cli/1.46.3 md/Botocore#1.40.2', 1],
])('a command that needs version 2 of the AWS CLI, with %s', async (version, expected) => {
  const script = `import { assertVersion2 } from ${MODULE}\nawait assertVersion2()`
  const { code, output } = await call(`#!/bin/sh\necho '${version}'`, script).ended
  expect(code).toBe(expected)
  if (expected === 1)
    expect(output).toContain(`needs version 2 of the AWS CLI; aws --version prints "${version}"`)
})

test('the input is removed if the AWS CLI fails', async () => {
  const { code, output } = await call('#!/bin/sh\necho "An error occurred (AccessDenied): no" >&2; exit 254')
    .ended
  expect(code).toBe(1)
  expect(output).toContain('aws ssm put-parameter: An error occurred (AccessDenied): no')
  expect(leftFiles()).toEqual([])
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('the input is removed on %s', async (signal) => {
  // The fake reports that it runs, and that it was stopped.
  const { child, ended } = call(
    '#!/bin/bash\ntrap "echo yes > $FOLDER/stopped; exit" INT TERM HUP\necho yes > "$FOLDER/started"; while :; do sleep 0.05; done',
  )
  await readWhenWritten(join(folder, 'started'))
  expect(leftFiles()).toHaveLength(1)
  child.kill(signal)
  expect(await ended).toMatchObject({ code: null, signal })
  expect(leftFiles()).toEqual([])
  await readWhenWritten(join(folder, 'stopped'))
})

async function readWhenWritten(path: string): Promise<string> {
  for (;;) {
    try {
      const text = readFileSync(path, 'utf8').trim()
      if (text) return text
    } catch {
      // The file does not exist yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

// The watcher of project files.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hashOf } from '../../src/project/project-modules.ts'
import { type FileWatcher, watchFiles } from '../../src/project/watch-files.ts'
import { until } from '../support/system.ts'

let folder: string
let file: string
let edits: string[][]
let watcher: FileWatcher
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-watch-'))
  mkdirSync(join(folder, 'tasks'))
  file = join(folder, 'tasks', 'a.ts')
  writeFileSync(file, 'first')
  edits = []
  watcher = watchFiles((files) => edits.push(files))
})
afterEach(() => {
  watcher.stop()
  rmSync(folder, { recursive: true, force: true })
})

const untilEdits = (count: number) =>
  until(
    async () => edits,
    ({ length }) => length >= count,
  )

test('an edit is reported once, and a file that is written with the same contents is not', async () => {
  watcher.watch(new Map([[file, hashOf(file)]]), false)
  writeFileSync(file, 'second')
  await untilEdits(1)
  writeFileSync(file, 'second')
  writeFileSync(file, 'third')
  await untilEdits(2)
  expect(edits).toEqual([[file], [file]])
})

test('an edit between the load of a file and the start of the watch is reported', async () => {
  const loaded = hashOf(file)
  writeFileSync(file, 'second')
  watcher.watch(new Map([[file, loaded]]), false)
  await untilEdits(1)
  expect(edits).toEqual([[file]])
})

test('a file that an editor replaces by a new one is watched', async () => {
  watcher.watch(new Map([[file, hashOf(file)]]), false)
  for (const text of ['second', 'third']) {
    const before = edits.length
    writeFileSync(join(folder, 'new'), text)
    renameSync(join(folder, 'new'), file)
    await untilEdits(before + 1)
  }
})

test('another file of the folder counts only if it is asked for', async () => {
  const other = join(folder, 'tasks', 'b.ts')
  watcher.watch(new Map([[file, hashOf(file)]]), false)
  writeFileSync(other, 'new')
  writeFileSync(file, 'second')
  await untilEdits(1)
  watcher.watch(new Map([[file, hashOf(file)]]), true)
  writeFileSync(other, 'newer')
  await untilEdits(2)
  expect(edits).toEqual([[file], []])
})

test('a folder that is removed and created again is watched', async () => {
  watcher.watch(new Map([[file, hashOf(file)]]), false)
  rmSync(join(folder, 'tasks'), { recursive: true })
  await untilEdits(1)
  mkdirSync(join(folder, 'tasks'))
  writeFileSync(file, 'second')
  await untilEdits(2)
  const before = edits.length
  // The folder is found within a second, and its file then counts as edited.
  writeFileSync(file, 'third')
  await untilEdits(before + 1)
})

// Watches files for edits.
import { createHash } from 'node:crypto'
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'

export interface FileWatcher {
  /**
   * Watches these files, in addition to those that are already watched, and remembers their contents.
   * @param includesNew whether further files in their folders count too, because a file that is imported may
   *    not exist yet
   */
  watch(files: string[], includesNew: boolean): void
  stop(): void
}

// Editors write a file in several steps, and tools write several files one after the other. An edit counts
// when nothing was written for this time.
const QUIET_MS = 50

/** @param onEdit called after the contents of files have changed, with their paths */
export function watchFiles(onEdit: (files: string[]) => void): FileWatcher {
  const contents = new Map<string, string>()
  const folders = new Map<string, FSWatcher>()
  let includesNew = false
  let isTouched = false
  let timer: NodeJS.Timeout | undefined
  return {
    watch(files, withNew) {
      includesNew = withNew
      for (const file of files) {
        contents.set(file, hashOf(file))
        const folder = dirname(file)
        // Watches the folder, because editors replace a file by a new one.
        if (!folders.has(folder)) folders.set(folder, watchFolder(folder))
      }
    },
    stop() {
      clearTimeout(timer)
      for (const watcher of folders.values()) watcher.close()
    },
  }

  function watchFolder(folder: string): FSWatcher {
    const watcher = watch(folder, (_event, name) => {
      if (includesNew && name !== null && /\.[cm]?[jt]s$|\.json$/.test(name)) isTouched = true
      clearTimeout(timer)
      timer = setTimeout(report, QUIET_MS)
    })
    // The folder was removed. A file that is needed again brings it back at the next edit of another file.
    watcher.on('error', () => folders.delete(folder))
    return watcher
  }

  function report() {
    const edited = [...contents.keys()].filter((file) => contents.get(file) !== hashOf(file))
    if (edited.length === 0 && !isTouched) return
    isTouched = false
    for (const file of edited) contents.set(file, hashOf(file))
    onEdit(edited)
  }
}

function hashOf(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex')
  } catch {
    // The file does not exist, or an editor is replacing it.
    return 'missing'
  }
}

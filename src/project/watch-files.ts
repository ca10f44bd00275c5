// Watches files for edits.
import { type FSWatcher, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { type FileHashes, hashOf } from './project-modules.ts'

export interface FileWatcher {
  /**
   * Watches these files, in addition to those that are already watched. A file whose contents differ from its
   * hash counts as edited immediately.
   * @param includesOthers whether other source files in their folders count too, because a file that is
   *    imported may not exist yet
   */
  watch(files: FileHashes, includesOthers: boolean): void
  stop(): void
}

// Editors write a file in several steps, and tools write several files one after the other. An edit counts
// when nothing was written for this time.
const QUIET_MS = 50
// How often a folder that has vanished is looked for.
const SEARCH_MS = 1_000

/** @param onEdit called after the contents of files have changed, with their paths */
export function watchFiles(onEdit: (files: string[]) => void): FileWatcher {
  const known = new Map<string, string>()
  const folders = new Map<string, { watcher: FSWatcher; inode: number }>()
  const refused = new Set<string>()
  let includesOthers = false
  let isOtherEdited = false
  let timer: NodeJS.Timeout | undefined
  const search = setInterval(watchFolders, SEARCH_MS).unref()
  return {
    watch(files, withOthers) {
      includesOthers = withOthers
      for (const [file, hash] of files) known.set(file, hash)
      watchFolders()
      reportSoon()
    },
    stop() {
      clearTimeout(timer)
      clearInterval(search)
      for (const { watcher } of folders.values()) watcher.close()
    },
  }

  /** Watches the folders of the files, because editors replace a file by a new one. */
  function watchFolders() {
    for (const folder of new Set([...known.keys()].map(dirname))) {
      // A folder that was removed and created again is another one, which the watcher does not see.
      const inode = statSync(folder, { throwIfNoEntry: false })?.ino
      const watched = folders.get(folder)
      if (watched && watched.inode !== inode) {
        watched.watcher.close()
        folders.delete(folder)
      }
      if (inode !== undefined && !folders.has(folder)) watchFolder(folder, inode)
    }
  }

  function watchFolder(folder: string, inode: number) {
    try {
      const watcher = watch(folder, (_event, name) => {
        if (includesOthers && name !== null && /\.[cm]?[jt]s$|\.json$/.test(name)) isOtherEdited = true
        reportSoon()
      })
      watcher.on('error', () => folders.delete(folder))
      folders.set(folder, { watcher, inode })
      reportSoon()
    } catch (error) {
      if (!refused.has(folder)) process.stderr.write(`Edits in ${folder} are not noticed: ${error}\n`)
      refused.add(folder)
    }
  }

  function reportSoon() {
    clearTimeout(timer)
    timer = setTimeout(report, QUIET_MS)
  }

  function report() {
    const edited = [...known].filter(([file, hash]) => hashOf(file) !== hash).map(([file]) => file)
    if (edited.length === 0 && !isOtherEdited) return
    isOtherEdited = false
    for (const file of edited) known.set(file, hashOf(file))
    onEdit(edited)
  }
}

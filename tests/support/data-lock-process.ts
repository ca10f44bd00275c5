// A process that locks data folders when its parent asks for it, at a given time.
import { createInterface } from 'node:readline'
import { messageOf } from '../../src/base/errors.ts'
import { startEmbedded } from '../../src/embedded/embedded.ts'

let embedded: Awaited<ReturnType<typeof startEmbedded>> | null = null

console.log('started')
for await (const line of createInterface({ input: process.stdin })) {
  const { dataDir, atMs } = JSON.parse(line)
  if (dataDir) {
    // A loop, because a timer wakes the processes at different times.
    while (Date.now() < atMs);
    // With the URL of a Redis server, only the folder is locked.
    embedded = await startEmbedded(dataDir, { redisUrl: 'redis://unused' }).catch((error) => {
      console.log(messageOf(error))
      return null
    })
    if (embedded) console.log('locked')
  } else {
    await embedded?.stop()
    embedded = null
    console.log('unlocked')
  }
}

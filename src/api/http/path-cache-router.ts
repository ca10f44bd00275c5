// Hono looks for the handlers of every request anew, which costs as much as to check its body. Submissions, of which there
// are the most, go to a few paths.
import type { Router } from 'hono/router'
import { TrieRouter } from 'hono/router/trie-router'

// More than there are definitions; whoever asks for many others makes us forget, and look again.
const MOST_PATHS = 500

export function createPathCacheRouter<Handler>(): Router<Handler> {
  const router = new TrieRouter<Handler>()
  const found = new Map<string, ReturnType<typeof router.match>>()
  return {
    name: 'PathCacheRouter',
    add: (method, path, handler) => router.add(method, path, handler),
    match(method, path) {
      // The paths of all others carry ids.
      if (method !== 'POST') return router.match(method, path)
      const known = found.get(path)
      if (known) return known
      const result = router.match(method, path)
      if (found.size >= MOST_PATHS) found.clear()
      found.set(path, result)
      return result
    },
  }
}

// API keys: made once, stored as hashes. A key is 256 random bits, so a plain SHA-256 cannot be turned back.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ApiKey, Scope } from '../../config.ts'

/** A new key, and the entry for API_KEYS that lets it in. The key itself is kept nowhere. */
export function createApiKey(name: string, scopes: Scope[]): { key: string; entry: string } {
  const key = `wgl_${randomBytes(32).toString('base64url')}`
  return { key, entry: `${name}:${scopes.join('+')}:${hashOf(key).toString('hex')}` }
}

/** Which of the known keys this is; undefined for none. Takes the same time whichever it is. */
export function findApiKey(known: ApiKey[], presented: string): ApiKey | undefined {
  const hash = hashOf(presented)
  // All of them, always: leaving the loop early would tell how far it got.
  const matching = known.filter((apiKey) => timingSafeEqual(hash, apiKey.hash))
  return matching[0]
}

/**
 * Lets a browser read this one task, and nothing else. Made from the key that submitted it: removing that key ends all
 * tokens made from it, and nothing has to be stored.
 */
export function pollTokenOf(apiKey: ApiKey, taskId: string): string {
  return createHmac('sha256', apiKey.hash).update(`poll ${taskId.toLowerCase()}`).digest('base64url')
}

/** Whether one of the known keys made this token for this task. */
export function isPollToken(known: ApiKey[], taskId: string, presented: string): boolean {
  const given = hashOf(presented)
  return known.filter((apiKey) => timingSafeEqual(given, hashOf(pollTokenOf(apiKey, taskId)))).length > 0
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

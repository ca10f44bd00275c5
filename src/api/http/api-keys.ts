// API keys are stored as hashes only. A key has 256 random bits, so a plain SHA-256 cannot be reversed.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ApiKey, Scope } from '../../config.ts'

/** Creates a key and its entry for API_KEYS. The key itself is not stored. */
export function createApiKey(name: string, scopes: Scope[]): { key: string; entry: string } {
  const key = `wgl_${randomBytes(32).toString('base64url')}`
  return { key, entry: `${name}:${scopes.join('+')}:${hashOf(key).toString('hex')}` }
}

/**
 * Returns the known key that matches the presented one. The duration does not depend on which key matches.
 */
export function findApiKey(known: ApiKey[], presented: string): ApiKey | undefined {
  const hash = hashOf(presented)
  // Compares all keys: an early exit would reveal the position of the match by its duration.
  const matching = known.filter((apiKey) => timingSafeEqual(hash, apiKey.hash))
  return matching[0]
}

/**
 * Returns a token that grants read access to this task only, for browsers. It is derived from the key that
 * submitted the task: no token is stored, and removing the key from API_KEYS invalidates all of its tokens.
 */
export function pollTokenOf(apiKey: ApiKey, taskId: string): string {
  return createHmac('sha256', apiKey.hash).update(`poll ${taskId.toLowerCase()}`).digest('base64url')
}

/** Whether the presented token was derived from this task and one of the known keys. */
export function isPollToken(known: ApiKey[], taskId: string, presented: string): boolean {
  const given = hashOf(presented)
  return known.filter((apiKey) => timingSafeEqual(given, hashOf(pollTokenOf(apiKey, taskId)))).length > 0
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

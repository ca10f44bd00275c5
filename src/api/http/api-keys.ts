// API keys and poll tokens. The configuration contains only hashes of keys. A plain SHA-256 is enough,
// because a key has 256 random bits, too many to guess.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ApiKey, Scope } from '../../config.ts'

/** Creates an API key and its entry for the setting API_KEYS, which contains the hash and not the key. */
export function createApiKey(name: string, scopes: Scope[]): { key: string; entry: string } {
  const key = `wgl_${randomBytes(32).toString('base64url')}`
  return { key, entry: `${name}:${scopes.join('+')}:${hashOf(key).toString('hex')}` }
}

/**
 * Returns the known API key that matches the presented text; undefined if there is none. The duration does
 * not depend on which key matches.
 */
export function findApiKey(known: ApiKey[], presented: string): ApiKey | undefined {
  const hash = hashOf(presented)
  // Compares the hash with all known ones: an early exit would reveal by its duration which key matched.
  const matching = known.filter((apiKey) => timingSafeEqual(hash, apiKey.hash))
  return matching[0]
}

/**
 * Returns the poll token of a task, with which a browser without an API key can read this task only. It is
 * derived from the API key that submitted the task: the token is not stored, and removing the key from
 * API_KEYS invalidates it.
 */
export function pollTokenOf(apiKey: ApiKey, taskId: string): string {
  return createHmac('sha256', apiKey.hash).update(`poll ${taskId.toLowerCase()}`).digest('base64url')
}

/** Checks whether the presented text is a poll token of this task, derived from one of the known API keys. */
export function isPollToken(known: ApiKey[], taskId: string, presented: string): boolean {
  const given = hashOf(presented)
  return known.filter((apiKey) => timingSafeEqual(given, hashOf(pollTokenOf(apiKey, taskId)))).length > 0
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

// Checks that the compose files, .env.example and the settings in src/config.ts name the same variables.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const namesIn = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort()

const compose = [
  'docker-compose.yml',
  'docker-compose.https.yml',
  'docker-compose.hosts.yml',
  'docker-compose.aws.yml',
]
  .map(textOf)
  .join()
// `$${…}` is not a variable of Compose: a shell inside the container expands it.
const read = namesIn(compose, /(?<!\$)\$\{(\w+)/g)

test('.env.example documents exactly the variables that the compose files, Compose and rollout.sh read', () => {
  const documented = namesIn(textOf('.env.example'), /^(?:# )?([A-Z_]+)=/gm)
  // Variables that Compose itself and docker/rollout.sh read.
  const readElsewhere = ['COMPOSE_FILE', 'COMPOSE_PROFILES', 'WAGGLE_PREVIOUS_TAG']
  expect(documented).toEqual([...read, ...readElsewhere].sort())
})

test('every setting of src/config.ts can be set in .env, except those that the image sets', () => {
  const settings = namesIn(textOf('src/config.ts'), /^ {2}([A-Z_]+): /gm)
  expect(settings.length).toBeGreaterThan(20)
  const setByImage = [...namesIn(textOf('docker/Dockerfile'), /([A-Z_]+)=/g), 'DATA_DIR']
  expect(settings.filter((name) => !read.includes(name) && !setByImage.includes(name))).toEqual([])
})

// What can be set for the containers: the compose files, .env.example and the settings of the program say the same.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const namesIn = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort()

const compose = ['docker-compose.yml', 'docker-compose.hosts.yml', 'docker-compose.aws.yml']
  .map(textOf)
  .join()
// `$${…}` is left to a shell inside the container.
const read = namesIn(compose, /(?<!\$)\$\{(\w+)/g)

test('every variable that the compose files read is documented in .env.example, and no other', () => {
  const documented = namesIn(textOf('.env.example'), /^(?:# )?([A-Z_]+)=/gm)
  // Read by Compose itself and by docker/rollout.sh.
  const readElsewhere = ['COMPOSE_FILE', 'COMPOSE_PROFILES', 'WAGGLE_PREVIOUS_TAG']
  expect(documented).toEqual([...read, ...readElsewhere].sort())
})

test('every setting of the program can be given in .env, but for those that the image decides', () => {
  const settings = namesIn(textOf('src/config.ts'), /^ {2}([A-Z_]+): /gm)
  expect(settings.length).toBeGreaterThan(20)
  const decided = [...namesIn(textOf('docker/Dockerfile'), /([A-Z_]+)=/g), 'DATA_DIR']
  expect(settings.filter((name) => !read.includes(name) && !decided.includes(name))).toEqual([])
})

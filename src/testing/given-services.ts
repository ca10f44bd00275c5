// The services that a test gives to a task.
import type { Services } from '../definitions/services.ts'

// Names that code reads from objects of any kind: `await` and `JSON.stringify`.
const COMMON_NAMES = ['then', 'toJSON']

/** Returns the given services. The use of another one throws an error that names it. */
export function onlyGiven(given: Partial<Services>, task?: string): Services {
  const user = task === undefined ? 'A task' : `Task "${task}"`
  return new Proxy(given, {
    get(target, name, receiver) {
      if (typeof name === 'string' && !(name in target) && !COMMON_NAMES.includes(name))
        throw new Error(
          `${user} uses the service "${name}", which this test does not give: add it to \`services\``,
        )
      return Reflect.get(target, name, receiver)
    },
  }) as Services
}

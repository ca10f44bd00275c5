// Tests which systems the bench measures.
import { expect, test } from 'vitest'
import { chooseSystems } from '../../bench/systems.ts'

test('without a choice, every system is measured that needs no Python', () => {
  const names = chooseSystems().map(({ name }) => name)
  expect(names).toContain('waggle')
  expect(names).toContain('graphile-worker')
  expect(names).not.toContain('celery')
})

test('the chosen systems are measured in the given order', () => {
  expect(chooseSystems('celery,waggle').map(({ name }) => name)).toEqual(['celery', 'waggle'])
})

test('an unknown system is an error that names all systems', () => {
  expect(() => chooseSystems('waggle,sidekiq')).toThrow(
    /^Unknown system "sidekiq": expected waggle, .*celery$/,
  )
})

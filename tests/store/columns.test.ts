// Arrays as statement parameters: each array is a column, and Postgres and PGlite return the rows.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { booleans, doubles, given, integers, texts, timestamps, uuids } from '../../src/store/columns.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

let testDatabase: TestDatabase
let database: Database
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await openDatabase(testDatabase.url)
})
afterAll(async () => {
  await database.close()
  await testDatabase.drop()
})

test('values of every type are returned unchanged, row by row', async () => {
  const ids = [newId(), newId().toUpperCase(), '00000000-0000-0000-0000-000000000000']
  const words = ['', 'Bienentanz \u{1f41d} {"a", \'b\'} \\ , NULL', 'x'.repeat(100_000)]
  const counts = [0, -2_147_483_648, 2_147_483_647]
  const fractions = [0, -0.1, 1e300]
  const times = [new Date(0), new Date('1999-12-31T23:59:59.999Z'), new Date('9999-12-31T23:59:59.999Z')]
  const rows = await database.query<Record<string, unknown>>(sql`
    select id::text, word, count, fraction, (extract(epoch from time) * 1000)::text as ms, truth
    from ${given({
      id: uuids(ids),
      word: texts(words),
      count: integers(counts),
      fraction: doubles(fractions),
      time: timestamps(times),
      truth: booleans([true, false, true]),
    })}`)
  expect(rows).toEqual(
    ids.map((id, index) => ({
      id: id.toLowerCase(),
      word: words[index],
      count: counts[index],
      fraction: fractions[index],
      ms: expect.stringMatching(new RegExp(`^${times[index]?.getTime()}(\\.0+)?$`)),
      truth: index !== 1,
    })),
  )
})

test('absent values are null, in single rows or in a whole column', async () => {
  const rows = await database.query(sql`
    select id::text, word, time::text, count, count is null and word = 'b' as is_second
    from ${given({
      id: uuids([newId(), undefined]),
      word: texts([null, 'b']),
      time: timestamps([undefined, null]),
      count: integers([7, undefined]),
    })}`)
  expect(rows).toEqual([
    { id: expect.any(String), word: null, time: null, count: 7, is_second: false },
    { id: null, word: 'b', time: null, count: null, is_second: true },
  ])
})

test('empty arrays return no rows', async () => {
  expect(await database.query(sql`select * from ${given({ id: uuids([]), word: texts([]) })}`)).toEqual([])
})

test.each(['', 'x', '0b6a7c9e-0000-4000-8000-00000000000', '0b6a7c9e-0000-4000-8000-00000000000g'])(
  'an invalid UUID is rejected: "%s"',
  async (id) => {
    await expect(database.query(sql`select * from ${given({ id: uuids([newId(), id]) })}`)).rejects.toThrow()
  },
)

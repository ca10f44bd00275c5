// The sentences of the options that `defineTask` does not have. The compiler checks them (`npm run types`);
// tests/package/consumer.test.ts shows what it prints.
import { expectTypeOf, test } from 'vitest'
import type { DefinitionOptions } from '../../src/definitions/define.ts'
import type { UnknownOptions } from '../../src/definitions/unknown-options.ts'

type Sentences = Required<UnknownOptions>
type Sentence = Sentences[keyof Sentences]
type Options = DefinitionOptions<unknown, unknown, string, unknown>

/** Options whose sentence does not begin with their name. */
type Misnamed = {
  [Option in keyof Sentences]: Sentences[Option] extends `The option '${Option}' ${string}.` ? never : Option
}[keyof Sentences]

/** The option that a sentence recommends. */
type RecommendedBy<Text> = Text extends `${string} Use '${infer Option}'${string}` ? Option : never

test('each sentence begins with its option and recommends an option that exists', () => {
  expectTypeOf<Misnamed>().toEqualTypeOf<never>()
  expectTypeOf<RecommendedBy<Sentence>>().toExtend<Exclude<keyof Options, keyof UnknownOptions>>()
})

import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

// Splits a text into grapheme clusters, so that emoji of several code points, such as flags, stay intact.
const characters = new Intl.Segmenter('en', { granularity: 'grapheme' })

export const reverse = defineTask({
  name: 'reverse',
  title: 'Reverse a text',
  description: 'Returns the text with its characters in reverse order.',
  input: z.object({ text: z.string().min(1).max(10_000).meta({ title: 'Text' }) }),
  output: z.object({ text: z.string() }),
  example: { text: 'Waggle' },
  async run({ text }) {
    return { text: isAscii(text) ? [...text].reverse().join('') : reverseGraphemes(text) }
  },
})

/**
 * Checks whether a text is ASCII without CRLF. Such a text can be reversed character by character, because
 * CRLF is the only grapheme cluster of ASCII with more than one character.
 */
function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is the definition of ASCII
  return /^[\x00-\x7f]*$/.test(text) && !text.includes('\r\n')
}

function reverseGraphemes(text: string): string {
  return [...characters.segment(text)]
    .map(({ segment }) => segment)
    .reverse()
    .join('')
}

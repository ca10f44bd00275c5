import Sentiment from 'sentiment'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

// The lexicon is AFINN-165: some 3,400 English words, each with a score from -5 (negative) to +5 (positive).
const lexicon = new Sentiment()

export const sentiment = defineTask({
  name: 'sentiment',
  title: 'Analyze the sentiment of a text',
  description:
    'Classifies an English text as positive, negative or neutral, and lists the words that decided it.',
  input: z.object({
    text: z.string().trim().min(1).max(20_000).meta({ title: 'Text', format: 'multiline' }),
  }),
  output: z.object({
    label: z.enum(['positive', 'negative', 'neutral']),
    score: z.number(),
    positive_words: z.array(z.string()),
    negative_words: z.array(z.string()),
  }),
  example: { text: 'What a good day for the bees!' },
  async run({ text }) {
    const { score, positive, negative } = lexicon.analyze(text)
    return {
      label: score > 0 ? ('positive' as const) : score < 0 ? ('negative' as const) : ('neutral' as const),
      score,
      positive_words: positive,
      negative_words: negative,
    }
  },
})

// The commands of `npm run infra:…`, and the app of the cdktf command line (cdktf.json).
import { account } from './account.ts'
import { environments } from './environments.ts'
import { run } from './src/run.ts'

await run({
  account,
  environments,
  folder: import.meta.dirname,
  // The smoke test after a rollout submits this task: it must run in production without harm.
  smokeTask: { name: 'reverse', input: { text: 'smoke' } },
})

// The commands of `npm run infra:…`, and the app of the cdktf command line (cdktf.json).
import { run } from 'waggle-tasks/aws'
import { account } from './account.ts'
import { environments } from './environments.ts'

await run({
  account,
  environments,
  folder: import.meta.dirname,
  // The smoke test after a rollout submits this task: it must run in production without harm.
  smokeTask: { name: 'hello', input: { name: 'Ada' } },
})

// What a wrong command line prints.
import { LOG_TARGETS } from '../scripts/logs.ts'
import { ROTATABLE } from '../scripts/rotate.ts'
import { ENVIRONMENTS, SHARED_STACK } from './names.ts'

const NAMES = ENVIRONMENTS.join('|')
const STACKS = `${SHARED_STACK}|${NAMES}`

export const USAGE = `Usage:
  npm run infra:synth -- [${STACKS}]    writes the Terraform JSON, by default of all stacks, and prints its path
  npm run infra:plan -- ${STACKS}       saves and shows a plan; fails if it would lose data
  npm run infra:apply -- ${STACKS}      applies the saved plan
  npm run infra:apply -- shared --first              plans and applies shared for the first time
  npm run infra:destroy -- dev|staging               destroys the environment after a confirmation; --yes skips it
  npm run infra:adopt -- ${NAMES}            makes Terraform manage a restored database, after infra:restore --switch
      --brief                                        plan: shows only addresses and actions
      --expect DIGEST                                plan: fails if the changes differ from those of plan.sha256
      --emulator                                     uses AWS_ENDPOINT_URL, with a local state
      --output FOLDER                                output folder; default infra-cdktf/cdktf.out
  npm run infra:init-secrets -- ${NAMES}           creates missing secrets
  npm run infra:rollout -- ${NAMES} COMMIT         rolls out a commit; rolls back if that fails
  npm run infra:rollback -- ${NAMES}               rolls back to the previous release; with --unfinished, to the current one
  npm run infra:smoke -- ${NAMES}                  runs the smoke test
  npm run infra:status -- ${NAMES}                 shows the state; exit code 1 if it has a fault
  npm run infra:logs -- ${NAMES} ${LOG_TARGETS.join('|')}
      [--since 1h] [--follow] [--filter TEXT] [--host NAME]
  npm run infra:exec -- ${NAMES} ROLE|HOST 'COMMAND'   runs it as root on the host; with --container SERVICE, in a container
  npm run infra:exec -- ${NAMES} ROLE|HOST --interactive   opens a shell
  npm run infra:restore -- ${NAMES} --snapshot ID|latest   restores the database as a new instance
  npm run infra:restore -- ${NAMES} --time 2026-11-30T10:00:00Z
  npm run infra:restore -- ${NAMES} --check NAME   counts the tasks in the new instance
  npm run infra:restore -- ${NAMES} --switch NAME  puts it in the place of the running database
  npm run infra:rotate -- ${NAMES} ${ROTATABLE.join('|')}   replaces a password and rolls it out`

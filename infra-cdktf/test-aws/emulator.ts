// Starts the emulator of AWS until Ctrl-C: npm run infra:emulator. It keeps everything in memory.
import { once } from 'node:events'
import { startMoto } from './support/moto.ts'

const moto = await startMoto()
if (!moto) process.exit(1)
const { AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, PATH } = moto.env
process.stdout.write(`The emulator of AWS runs until Ctrl-C. Set this in another terminal:
  export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL} AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY}
  export PATH=${PATH?.split(':')[0]}:$PATH   # with the AWS CLI
`)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await moto.stop()

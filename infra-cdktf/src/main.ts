// Entry point of the cdktf command line (cdktf.json): synthesizes all stacks. With WAGGLE_TARGET=emulator
// the stacks use the endpoint in AWS_ENDPOINT_URL and a local state.
import { readConfigs, synthesize } from './synthesize.ts'

const target = process.env.WAGGLE_TARGET === 'emulator' ? 'emulator' : undefined
synthesize(readConfigs(target), { state: 's3', folder: 'cdktf.out' })

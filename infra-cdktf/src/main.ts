// What cdktf.json names: writes all stacks for `cdktf deploy`, and for the commands beside it.
import { readConfigs, synthesize } from './synthesize.ts'

synthesize(readConfigs(), { state: 's3', folder: 'cdktf.out' })

// Entry point of the cdktf command line (cdktf.json): synthesizes all stacks.
import { readConfigs, synthesize } from './synthesize.ts'

synthesize(readConfigs(), { state: 's3', folder: 'cdktf.out' })

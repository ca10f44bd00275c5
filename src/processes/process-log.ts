// Log lines of a supervisor, in the format of telemetry/log.ts. This file writes them itself, because pino
// would cost a supervisor 5 MB of memory for a few lines a day.
import type { Config } from '../config.ts'

export interface ProcessLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

// The level numbers of pino.
const LEVELS = { debug: 20, info: 30, warn: 40, error: 50, silent: Number.POSITIVE_INFINITY }

/** Creates the log of a process. Lines below `level` are not written. */
export function createProcessLog(
  level: Config['LOG_LEVEL'],
  role: string,
  write: (line: string) => void = (line) => void process.stdout.write(line),
): ProcessLog {
  const at = (name: keyof typeof LEVELS) => (fields: object, msg: string) => {
    if (LEVELS[name] < LEVELS[level]) return
    write(
      `${JSON.stringify({ level: LEVELS[name], time: new Date().toISOString(), role, ...fields, msg })}\n`,
    )
  }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

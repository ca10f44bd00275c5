// Options that `defineTask` does not have, each with a sentence as its type. The compiler shows the sentence to
// whoever uses the option. An option that a version removes or renames gets its sentence here.

export interface UnknownOptions {
  /** @deprecated */
  attempts?: "The option 'attempts' does not exist. Use 'maxRetries', which does not count the first attempt."
  /** @deprecated */
  cron?: "The option 'cron' does not exist. Use 'schedules', a list of objects with 'name' and 'cron'."
  /** @deprecated */
  handler?: "The option 'handler' does not exist. Use 'run'."
  /** @deprecated */
  retries?: "The option 'retries' does not exist. Use 'maxRetries'."
  /** @deprecated */
  timeout?: "The option 'timeout' does not exist. Use 'timeoutMs', in milliseconds."
}

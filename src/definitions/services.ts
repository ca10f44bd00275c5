// The settings and services of a project, such as a client of a payment provider, which its tasks use.
import { z } from 'zod'

/**
 * Types of the project. `waggle.config.ts` adds the type of its services, so that `context.services` has it
 * in every task:
 *
 *     declare module 'waggle-tasks' {
 *       interface Register {
 *         services: typeof services
 *       }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: projects add members to it
export interface Register {}

/** Type of `context.services`: what `open` of the project's services returns, without `close`. */
export type Services = Register extends { services: ServicesDefinition<z.ZodObject, infer Opened> }
  ? Omit<Opened, 'close'>
  : Record<string, unknown>

/** The services of a project that has none. */
export const NO_SERVICES = {} as Services

/** Writes a line to the log of the process. */
export type Log = (message: string, fields?: Record<string, unknown>) => void

export interface ServicesTools<Settings extends z.ZodObject> {
  /** The parsed settings. */
  settings: z.output<Settings>
  log: Log
}

export interface ServicesDefinition<
  Settings extends z.ZodObject = z.ZodObject,
  Opened extends object = object,
> {
  /**
   * Environment variables of the project. They are parsed once per process, and their faults are reported
   * together with those of Waggle's own settings.
   */
  settings: Settings
  /**
   * Opens the services: once in each process of the API and of a worker, in each isolated process, and in `dev`
   * again after an edit. `close` of the result is called when an API or a worker stops in order, and in `dev`
   * after an edit. Isolated processes are killed without it.
   */
  open(tools: ServicesTools<Settings>): Opened | Promise<Opened>
}

/** What `open` returns: the services by their names, and optionally a function that closes them. */
export type OpenedServices = object & { close?: () => void | Promise<void> }

/**
 * Defines the settings and services of a project. Add the type of the result to `Register`.
 * @param definition `settings`: a zod object of environment variables, whose values are strings; none by
 *    default
 */
export function defineServices<
  Opened extends OpenedServices,
  Settings extends z.ZodObject = NoSettings,
>(definition: {
  settings?: Settings
  open(tools: ServicesTools<Settings>): Opened | Promise<Opened>
}): ServicesDefinition<Settings, Opened> {
  const { settings = z.object({}) as unknown as Settings, open } = definition
  return { settings, open }
}

type NoSettings = z.ZodObject<Record<never, never>>

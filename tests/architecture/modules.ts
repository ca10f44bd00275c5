// The modules of the code, from the bottom up, and their public files. docs/architecture.md, "Modules",
// explains them.

export interface Module {
  /** A file, or a folder that ends with `/`. Paths start at the root of the project. */
  path: string
  /**
   * The files that other modules may import, relative to the folder. Without a list, they may import all
   * files.
   */
  face?: string[]
}

/** A module imports modules of lower layers only. Modules of one layer do not import each other. */
export const LAYERS: Module[][] = [
  [{ path: 'src/base/' }],
  [{ path: 'src/config.ts' }, { path: 'src/definitions/' }],
  [
    {
      path: 'src/telemetry/',
      face: [
        'events.ts',
        'activity.ts',
        'activity-counter.ts',
        'log.ts',
        'metrics.ts',
        'metrics-of-processes.ts',
      ],
    },
    {
      path: 'src/certificates/',
      face: ['certificate-file.ts', 'certificate-settings.ts', 'renewal.ts'],
    },
    { path: 'src/redis/', face: ['queue.ts', 'signals.ts', 'rate-limiter.ts', 'redis-state.ts'] },
    {
      path: 'src/tasks/',
      face: ['core-definitions.ts', 'callback.ts', 'http/http-client.ts', 'http/webhook-signature.ts'],
    },
  ],
  [
    {
      path: 'src/store/',
      face: [
        'database.ts',
        'database-errors.ts',
        'database-state.ts',
        'stores.ts',
        'schema.ts',
        'new-tasks.ts',
        'claim.ts',
        'finish.ts',
        'refused-ends.ts',
        'result-text.ts',
        'task-filter.ts',
        'task-list.ts',
        'task-reader.ts',
        'task-store.ts',
        'dispatch-store.ts',
        'queue-store.ts',
        'worker-store.ts',
        'log-store.ts',
        'blocked-heartbeat.ts',
        'schedule-store.ts',
        'schedule-tables.ts',
        'due-schedules.ts',
        'code-schedules.ts',
        'callback-store.ts',
        'activity-store.ts',
        'retention-store.ts',
        'retention-policy.ts',
        'partitions/extend.ts',
        'held/claim-held.ts',
        'held/held-reader.ts',
        'held/hold-again.ts',
        'held/limit-store.ts',
        'held/read-held.ts',
        'unique/retry-unique.ts',
        'unique/unique-store.ts',
        'test-database.ts',
      ],
    },
  ],
  [
    {
      path: 'src/service/',
      face: [
        'enqueuer.ts',
        'task-service.ts',
        'submit.ts',
        'task-watcher.ts',
        'insert-once.ts',
        'unknown-task.ts',
        'schedules.ts',
      ],
    },
    { path: 'src/connections.ts' },
  ],
  [
    {
      path: 'src/api/',
      face: [
        'app.ts',
        'health-app.ts',
        'server.ts',
        'dependencies.ts',
        'project-routes.ts',
        'health-checks.ts',
        'docs/api-document.ts',
        'openapi/document.ts',
        'openapi/operation.ts',
        'http/api-keys.ts',
        'http/request-context.ts',
        'http/same-site.ts',
        'openapi/operation.ts',
        'tasks/task-view.ts',
      ],
    },
    {
      path: 'src/worker/',
      face: [
        'worker.ts',
        'worker-options.ts',
        'worker-priority.ts',
        'attempts/stray-errors.ts',
        'attempts/attempt-context.ts',
        'isolated/serve-attempts.ts',
        'isolated/pool-size.ts',
        'crash-recovery.ts',
      ],
    },
    { path: 'src/embedded/', face: ['embedded.ts', 'redis-server.ts'] },
  ],
  [{ path: 'src/project/' }, { path: 'src/processes/' }],
  [
    { path: 'src/assembly.ts' },
    { path: 'src/postman/', face: ['postman-files.ts'] },
    { path: 'src/doctor/', face: ['checks.ts'] },
    { path: 'src/templates/', face: ['new-project.ts', 'new-task.ts'] },
    { path: 'src/client/' },
  ],
  [{ path: 'src/commands/' }],
  [{ path: 'src/testing/', face: ['testing.ts'] }],
  [{ path: 'src/main.ts' }, { path: 'src/lambda.ts' }, { path: 'src/isolated.ts' }, { path: 'src/index.ts' }],
  [{ path: 'web/src/' }],
]

/** The modules inside `src/api`. */
export const API_LAYERS: Module[][] = [
  [{ path: 'src/api/http/' }, { path: 'src/api/health-checks.ts' }],
  [
    { path: 'src/api/server.ts' },
    { path: 'src/api/dependencies.ts' },
    { path: 'src/api/openapi/', face: ['document.ts', 'operation.ts'] },
  ],
  [
    {
      path: 'src/api/tasks/',
      face: [
        'task-routes.ts',
        'task-requests.ts',
        'task-filters.ts',
        'task-schemas.ts',
        'task-view.ts',
        'read-task.ts',
        'submit-options.ts',
        'submission-response.ts',
        'masking.ts',
        'task-operations.ts',
        'submit-operations.ts',
        'form-fields.ts',
        'definition-schemas.ts',
        'task-examples.ts',
      ],
    },
    { path: 'src/api/system/' },
  ],
  [{ path: 'src/api/schedules/' }],
  [{ path: 'src/api/project-routes.ts' }, { path: 'src/api/docs/', face: ['docs-routes.ts'] }],
  [{ path: 'src/api/app.ts' }, { path: 'src/api/health-app.ts' }],
]

/** The modules inside `web/src`. */
export const WEB_LAYERS: Module[][] = [
  [{ path: 'web/src/parts/' }],
  [{ path: 'web/src/api/' }, { path: 'web/src/route.ts' }],
  [{ path: 'web/src/state/' }],
  [
    { path: 'web/src/page.ts' },
    {
      path: 'web/src/form/',
      face: [
        'form-state.ts',
        'schema-fields.ts',
        'task-form.tsx',
        'drafts.ts',
        'field-values.ts',
        'form-faults.ts',
        'form-field.tsx',
        'form-group.tsx',
        'form-input.tsx',
      ],
    },
  ],
  [
    {
      path: 'web/src/task/',
      face: ['task-card.tsx', 'task-panel.tsx', 'task-view.tsx', 'task-summary.ts', 'sensitive-values.tsx'],
    },
  ],
  [
    { path: 'web/src/overview/', face: ['overview-view.tsx'] },
    { path: 'web/src/run/', face: ['run-view.tsx'] },
    { path: 'web/src/schedules/', face: ['schedules-view.tsx', 'schedule-view.tsx'] },
    { path: 'web/src/tasks/', face: ['tasks-view.tsx'] },
    { path: 'web/src/workers/', face: ['workers-view.tsx', 'keys-view.tsx'] },
  ],
  [{ path: 'web/src/page-header.tsx' }, { path: 'web/src/lazy-view.tsx' }],
  [{ path: 'web/src/app.tsx' }],
  [{ path: 'web/src/main.tsx' }],
]

/** Packages that only these files may import. The pattern matches the beginning of the package's name. */
export const PACKAGE_HOMES: [packageName: RegExp, home: RegExp][] = [
  [/^bee-queue\b/, /^src\/redis\/bee\//],
  [/^redis$/, /^src\/redis\//],
  [/^croner$/, /^src\/definitions\//],
  [/^undici$/, /^src\/tasks\/http\//],
  [/^drizzle-orm\b/, /^src\/store\//],
  [/^(pg|@electric-sql\/pglite)$/, /^src\/store\//],
  [/^uplot\b/, /^web\/src\/overview\/plot\.ts$/],
  [/^lossless-json\b/, /^web\/src\/parts\/exact-json\.ts$/],
]

/** Packages that browsers may load. */
export const BROWSER_PACKAGES = /^(hono|preact|@preact\/signals|uplot|lossless-json)\b/

/** Code for browsers: the files of other modules that it may import. */
export const BROWSER_IMPORTS: Record<string, string[]> = {
  'web/src/': ['src/client/client.ts', 'src/api/app.ts', 'src/base/exact-json.ts'],
  'src/client/': ['src/api/app.ts'],
}

/** Of those files, the ones that run in browsers. From the others only types may be imported. */
export const RUNS_IN_BROWSERS = ['src/client/client.ts', 'src/base/exact-json.ts']

/** Entry points of the package. Only they re-export other files: what projects import. */
export const ENTRY_POINTS = ['src/index.ts', 'src/client/client.ts', 'src/testing/testing.ts']

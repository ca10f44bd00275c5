// The rules for imports between modules.
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  API_LAYERS,
  BROWSER_IMPORTS,
  BROWSER_PACKAGES,
  ENTRY_POINTS,
  LAYERS,
  type Module,
  PACKAGE_HOMES,
  RUNS_IN_BROWSERS,
  WEB_LAYERS,
} from './modules.ts'

export type Files = Record<string, string>

interface Import {
  from: string
  to: string
  isTypeOnly: boolean
}

/** Everything in these files that breaks a rule, one sentence each. Pure. */
export function findingsIn(files: Files): string[] {
  const imports = importsIn(files)
  return [
    ...Object.keys(files).flatMap(findingsOfPath),
    ...imports.flatMap((entry) => findingsOfImport(entry, files)),
    ...cyclesIn(imports),
    ...Object.entries(files).flatMap(([path, code]) => findingsOfFile(path, withoutComments(code))),
  ]
}

function findingsOfPath(path: string): string[] {
  const layers = path.startsWith('web/src/') ? WEB_LAYERS : LAYERS
  return placeOf(path, layers) ? [] : [`${path} belongs to no module`]
}

function findingsOfImport(entry: Import, files: Files): string[] {
  const { from, to } = entry
  if (!/^(src|web)\//.test(to)) return findingsOfPackage(entry)
  // Other imports are style sheets and the like.
  if (!/\.tsx?$/.test(to)) return []
  if (files[to] === undefined) return [`${from} imports ${to}, which does not exist`]
  const browserModule = Object.keys(BROWSER_IMPORTS).find((path) => from.startsWith(path))
  if (browserModule !== undefined && !to.startsWith(browserModule))
    return findingsOfBrowserImport(entry, BROWSER_IMPORTS[browserModule] ?? [])
  return [LAYERS, API_LAYERS, WEB_LAYERS].flatMap((layers) => findingsOfLayers(entry, layers))
}

function findingsOfLayers({ from, to }: Import, layers: Module[][]): string[] {
  const [source, target] = [placeOf(from, layers), placeOf(to, layers)]
  // A file outside the modules has its own finding.
  if (!source || !target || source.module === target.module) return []
  const [a, b] = [source.module.path, target.module.path]
  if (source.layer < target.layer) return [`${from} imports ${to}: ${a} is below ${b}`]
  if (source.layer === target.layer)
    return [`${from} imports ${to}: ${a} and ${b} must not import each other`]
  const { face } = target.module
  return face && !face.includes(to.slice(b.length)) ? [`${from} imports ${to}, which is not public`] : []
}

function findingsOfPackage({ from, to }: Import): string[] {
  const isOutsideHome = PACKAGE_HOMES.some(([name, home]) => name.test(to) && !home.test(from))
  const isInBrowser = Object.keys(BROWSER_IMPORTS).some((path) => from.startsWith(path))
  return isOutsideHome || (isInBrowser && !BROWSER_PACKAGES.test(to)) ? [`${from} must not import ${to}`] : []
}

function findingsOfBrowserImport({ from, to, isTypeOnly }: Import, allowed: string[]): string[] {
  if (!allowed.includes(to)) return [`${from} imports ${to}: code for browsers may not`]
  if (isTypeOnly || RUNS_IN_BROWSERS.includes(to)) return []
  return [`${from} imports ${to}: only types may be imported from it`]
}

function findingsOfFile(path: string, code: string): string[] {
  // Embedded servers inherit the environment.
  const mayReadEnvironment =
    /^src\/(main|lambda|isolated)\.ts$/.test(path) || path.startsWith('src/embedded/')
  return [
    ...(/\bprocess\.env\b/.test(code) && !mayReadEnvironment ? [`${path} reads process.env`] : []),
    // The entry points of the package re-export what projects use.
    ...(/\bexport\s+(type\s+)?(\*|\{[^}]*\}\s*from\b)/.test(code) && !ENTRY_POINTS.includes(path)
      ? [`${path} re-exports another file`]
      : []),
  ]
}

/** One finding for every import that closes a cycle, starting with the first file in alphabetical order. */
export function cyclesIn(imports: Import[]): string[] {
  const targets = Map.groupBy(imports, ({ from }) => from)
  const found = new Set<string>()
  const isDone = new Set<string>()
  const visit = (path: string, trail: string[]) => {
    const start = trail.indexOf(path)
    if (start >= 0) return void found.add(describeCycle(trail.slice(start)))
    if (isDone.has(path)) return
    for (const { to } of targets.get(path) ?? []) visit(to, [...trail, path])
    isDone.add(path)
  }
  for (const path of targets.keys()) visit(path, [])
  return [...found]
}

function describeCycle(cycle: string[]): string {
  const first = cycle.indexOf(cycle.toSorted()[0] ?? '')
  const rotated = [...cycle.slice(first), ...cycle.slice(0, first)]
  return `cycle: ${[...rotated, rotated[0]].join(' > ')}`
}

function placeOf(path: string, layers: Module[][]): { layer: number; module: Module } | undefined {
  for (const [layer, modules] of layers.entries()) {
    for (const module of modules) {
      if (path === module.path || (module.path.endsWith('/') && path.startsWith(module.path)))
        return { layer, module }
    }
  }
  return undefined
}

const IMPORT =
  /(?<![.\w])(?:import|export)\s+(?<type>type\s)?(?:[\w*{}\s,$]+?\sfrom\s*)?(?<quote>['"])(?<name>[^'"]+)\k<quote>|(?<![.\w])import\(\s*(?<quote2>['"])(?<dynamic>[^'"]+)\k<quote2>/g

export function importsIn(files: Files): Import[] {
  return Object.entries(files).flatMap(([path, code]) => importsOf(path, code))
}

/** Imports of one file: our files by their path from the root of the project, packages by their name. */
function importsOf(path: string, code: string): Import[] {
  return [...withoutComments(code).matchAll(IMPORT)].map(({ groups = {} }) => {
    const name = groups.name ?? groups.dynamic ?? ''
    const to = name.startsWith('.') ? posix.join(posix.dirname(path), name) : name
    return { from: path, to, isTypeOnly: groups.type !== undefined }
  })
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '')
}

export function readFiles(folders: string[]): Files {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const paths = folders.flatMap((folder) => filesBelow(root, folder))
  return Object.fromEntries(paths.map((path) => [path, readFileSync(root + path, 'utf8')]))
}

function filesBelow(root: string, folder: string): string[] {
  return readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => /\.tsx?$/.test(path) && !/\.d\.ts$|node_modules/.test(path))
}

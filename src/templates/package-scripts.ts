// Adds scripts to the text of a package.json.

export interface ScriptsEdit {
  text: string
  /** Names of the added scripts. */
  added: string[]
  /** Names of scripts that differ, and stay as they are. */
  kept: string[]
}

/** @throws SyntaxError if the text is no JSON */
export function addScripts(text: string, scripts: Record<string, string>): ScriptsEdit {
  const content = JSON.parse(text)
  const existing: Record<string, string> = content.scripts ?? {}
  const names = Object.keys(scripts)
  const added = names.filter((name) => !Object.hasOwn(existing, name))
  const kept = names.filter((name) => !added.includes(name) && existing[name] !== scripts[name])
  if (added.length === 0) return { text, added, kept }
  content.scripts = { ...existing, ...Object.fromEntries(added.map((name) => [name, scripts[name]])) }
  // The same indentation, as npm does it.
  const [, indent = '  '] = /^([ \t]+)"/m.exec(text) ?? []
  return { text: `${JSON.stringify(content, null, indent)}\n`, added, kept }
}

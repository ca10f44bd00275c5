// What must be true of a commit before its version is released, and the text of the release.

/** A section of CHANGELOG.md: what follows `## ` in its heading, and its text. */
interface Section {
  title: string
  text: string
}

export interface ReleaseState {
  /** The tag of the release; undefined before there is one. */
  tag?: string
  /** `version` of package.json. */
  version: string
  /** The version that package-lock.json states. */
  lockVersion: string
  changelog: string
  /** Output of `git status --porcelain`; undefined if Git cannot tell. */
  status: string | undefined
}

/** Describes everything that prevents a release; empty if nothing does. */
export function faultsOf({ tag, version, lockVersion, changelog, status }: ReleaseState): string[] {
  const faults: string[] = []
  if (tag !== undefined && tag !== `v${version}`)
    faults.push(`The tag ${tag} must be v${version}, because package.json has the version ${version}`)
  if (lockVersion !== version)
    faults.push(
      `package-lock.json has the version ${lockVersion}, package.json has ${version}: run \`npm install\``,
    )
  faults.push(...faultsOfChangelog(changelog, version))
  if (status === undefined) faults.push('This folder is not a working tree of Git')
  else if (status !== '')
    faults.push(`The working tree has changes that are not committed:\n${status.trimEnd()}`)
  return faults
}

/** The text of the release: the section of this version in CHANGELOG.md, without its heading. */
export function notesOf(changelog: string, version: string): string {
  return sectionOf(changelog, version)?.text ?? ''
}

function faultsOfChangelog(changelog: string, version: string): string[] {
  const faults: string[] = []
  const expected = `"## ${version} - YYYY-MM-DD"`
  const section = sectionOf(changelog, version)
  if (section === undefined) faults.push(`CHANGELOG.md has no section ${expected}`)
  else {
    if (!isDate(section.title.slice(`${version} - `.length)))
      faults.push(`CHANGELOG.md: the heading of "${section.title}" must be ${expected}`)
    if (section.text === '') faults.push(`CHANGELOG.md: the section "${section.title}" is empty`)
  }
  const unreleased = sectionsOf(changelog).find(({ title }) => title === 'Unreleased')
  if (unreleased !== undefined && unreleased.text !== '')
    faults.push(`CHANGELOG.md: the section "Unreleased" is not empty: move its lines to ${expected}`)
  return faults
}

function sectionOf(changelog: string, version: string): Section | undefined {
  return sectionsOf(changelog).find(({ title }) => title.split(' ')[0] === version)
}

function sectionsOf(changelog: string): Section[] {
  const [, ...sections] = changelog.split(/^## /m)
  return sections.map((section) => {
    const [title = '', ...lines] = section.split('\n')
    return { title: title.trim(), text: lines.join('\n').trim() }
  })
}

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))
}

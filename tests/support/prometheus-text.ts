// Parses the text format of Prometheus (version 0.0.4), more strictly than Prometheus does.

export interface Scrape {
  status: number
  contentType: string | null
  /**
   * Returns the value of a series; undefined if it does not exist. All labels of the series must be given.
   */
  value(name: string, labels?: Record<string, string>): number | undefined
  /** Lists the labels of every series of this name. */
  series(name: string): Record<string, string>[]
  /** Names of the declared metric families. */
  families: string[]
}

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** Requests a URL and parses the response. @throws when the text does not follow the format */
export async function scrape(url: string): Promise<Scrape> {
  const response = await fetch(url)
  const { samples, types } = parseMetrics(await response.text())
  const byKey = new Map(samples.map(({ name, labels, value }) => [keyOf(name, labels), value]))
  return {
    status: response.status,
    contentType: response.headers.get('Content-Type'),
    value: (name, labels = {}) => byKey.get(keyOf(name, labels)),
    series: (name) => samples.filter((sample) => sample.name === name).map(({ labels }) => labels),
    families: [...types.keys()],
  }
}

export function parseMetrics(text: string): { samples: Sample[]; types: Map<string, string> } {
  if (!text.endsWith('\n')) throw new Error('the last line has no line feed')
  const types = new Map<string, string>()
  const helps = new Set<string>()
  const samples: Sample[] = []
  for (const line of text.split('\n').filter(Boolean)) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) \S.*$/.exec(line)
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary)$/.exec(line)
    if (help?.[1]) helps.add(help[1])
    else if (type?.[1] && type[2]) {
      if (types.has(type[1])) throw new Error(`${type[1]} is declared twice`)
      types.set(type[1], type[2])
    } else {
      const sample = parseSample(line)
      if (![...types].some((family) => isOfFamily(sample, family)))
        throw new Error(`no TYPE line before this sample: ${line}`)
      samples.push(sample)
    }
  }
  for (const name of types.keys()) if (!helps.has(name)) throw new Error(`${name} has no HELP line`)
  const keys = samples.map(({ name, labels }) => keyOf(name, labels))
  const duplicate = keys.find((key, index) => keys.indexOf(key) !== index)
  if (duplicate) throw new Error(`duplicate series: ${duplicate}`)
  for (const [name, type] of types) if (type === 'histogram') checkHistogram(name, samples)
  return { samples, types }
}

function parseSample(line: string): Sample {
  // prom-client writes "Nan", which Go's ParseFloat takes as well.
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (Na[Nn]|[+-]Inf|[+-]?[\d.]+(?:e[+-]?\d+)?)$/.exec(line)
  const [, name = '', list = '', number = ''] = match ?? []
  if (!match) throw new Error(`invalid sample: ${line}`)
  const pairs = [...list.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(,|$)/g)]
  if (pairs.map(([pair]) => pair).join('') !== list) throw new Error(`invalid labels: ${line}`)
  const labels = Object.fromEntries(pairs.map(([, label, value]) => [label, value]))
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) }
}

function isOfFamily({ name }: Sample, [family, type]: [string, string]): boolean {
  if (name === family) return type !== 'histogram'
  const suffixes =
    type === 'histogram' ? ['_bucket', '_sum', '_count'] : type === 'summary' ? ['_sum', '_count'] : []
  return suffixes.some((suffix) => name === family + suffix)
}

/**
 * Checks that the buckets of each series never decrease, and that the last bucket (+Inf) equals the count.
 */
function checkHistogram(name: string, samples: Sample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
  const bySeries = Map.groupBy(buckets, ({ labels: { le, ...labels } }) => keyOf('', labels))
  for (const [key, all] of bySeries) {
    const values = all.map(({ value }) => value)
    const count = samples.find(
      (sample) => sample.name === `${name}_count` && keyOf('', sample.labels) === key,
    )
    const isGrowing = values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0))
    if (!isGrowing || all.at(-1)?.labels.le !== '+Inf' || count?.value !== values.at(-1))
      throw new Error(`invalid histogram: ${name}${key}`)
  }
}

function keyOf(name: string, labels: Record<string, string>): string {
  return name + JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1)))
}

// Which images of a release can be built on this machine.

/** A stage of docker/Dockerfile, built for a platform. */
export interface ImageBuild {
  target: string
  platform: string
}

const TARGETS = ['core', 'app', 'web']
const PLATFORMS = ['linux/amd64', 'linux/arm64']

/**
 * @param inspection output of `docker buildx inspect`; undefined without a Docker engine that has buildx
 * @returns the builds, and one sentence for everything that is skipped
 */
export function planBuilds(inspection: string | undefined): { builds: ImageBuild[]; skipped: string[] } {
  if (inspection === undefined)
    return { builds: [], skipped: ['The images were not built: there is no Docker engine with buildx.'] }
  const available = platformsOf(inspection)
  return {
    builds: TARGETS.flatMap((target) =>
      PLATFORMS.filter((platform) => available.has(platform)).map((platform) => ({ target, platform })),
    ),
    skipped: PLATFORMS.filter((platform) => !available.has(platform)).map(
      (platform) => `The images for ${platform} were not built: this builder has no emulation of it.`,
    ),
  }
}

// A builder can have several nodes, each with its platforms. An asterisk marks those that were set by hand.
function platformsOf(inspection: string): Set<string> {
  const lists = [...inspection.matchAll(/^Platforms:(.*)$/gm)].map(([, list = '']) => list)
  return new Set(lists.flatMap((list) => list.split(',').map((name) => name.trim().replace(/\*$/, ''))))
}

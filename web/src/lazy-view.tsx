// A view whose code is loaded when it is opened.
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Page } from './page.ts'
import { Icon } from './parts/icons.tsx'
import { Skeleton } from './parts/skeleton.tsx'
import type { Route } from './route.ts'

type View = ComponentType<{ page: Page; route: Route }>

export interface LazyViewProps {
  load: () => Promise<View>
  page: Page
  route: Route
}

export function LazyView({ load, page, route }: LazyViewProps) {
  // The component is kept in an object, because the setter of a state calls a function that it is given.
  const [loaded, setLoaded] = useState<{ View: View | null } | null>(null)
  useEffect(() => {
    let isOver = false
    load()
      .catch(() => null)
      .then((View) => isOver || setLoaded({ View }))
    return () => {
      isOver = true
    }
  }, [load])
  if (!loaded) return <Skeleton isPanel label="Loading the view" lines={['normal', 'row', 'row', 'row']} />
  const { View } = loaded
  return View ? <View page={page} route={route} /> : <NotLoaded />
}

/** Shown if the server cannot be reached, or if a new version of the page has other files. */
function NotLoaded() {
  return (
    <section class="panel" aria-labelledby="not-loaded-title">
      <div class="empty tone-warn" role="alert">
        <h1 id="not-loaded-title" class="panel-title">
          This view could not be loaded
        </h1>
        <p>The server cannot be reached, or the page has a new version.</p>
        <button type="button" class="button" onClick={() => location.reload()}>
          <Icon name="refresh" />
          Load the page again
        </button>
      </div>
    </section>
  )
}

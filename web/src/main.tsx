// Puts the page together and shows it.
import { render } from 'hono/jsx/dom'
import { App } from './app.tsx'
import { startPage } from './page.ts'
import './styles/tokens.css'
import './styles/layout.css'
import './styles/controls.css'
import './styles/form.css'
import './styles/form-parts.css'
import './styles/task.css'
import './styles/task-page.css'
import './styles/timeline.css'
import './styles/list.css'
import './styles/table.css'
import './styles/key.css'
import './styles/tasks.css'
import './styles/overview.css'
import './styles/motion.css'

const root = document.getElementById('page')
if (root) render(<App page={startPage()} />, root)

// HTML pages of the form endpoints, for browsers without scripts. The `html` template escapes all values.
import { html } from 'hono/html'
import type { TaskView } from 'waggle-tasks'

/**
 * Returns the page after a submission, with a link to the task.
 * @param search query string of that link: the task's poll token if the API requires keys, otherwise empty
 */
export function submittedPage(taskId: string, search: string) {
  return page({
    title: 'Task submitted',
    body: html`<p>Task id: <code>${taskId}</code></p>
      <p><a href="/check_task/${taskId}${search}">Check its status</a></p>`,
  })
}

/**
 * Returns the page that shows a task. It reloads itself every 2 s until the task has finished.
 * @param search query string of the link to this page: the poll token if the request had one, otherwise empty
 */
export function taskPage(task: TaskView, search: string) {
  const isUnfinished = !task.is_final
  return page({
    title: `Task ${labelOf(task)}`,
    refreshSeconds: isUnfinished ? 2 : undefined,
    body: html`<p>Task id: <code>${task.id}</code></p>
      <p>Status: <strong>${labelOf(task)}</strong> (${task.status})</p>
      ${isUnfinished ? html`<p>${percent(task)} ${task.progress.message ?? ''}</p>` : outcomeOf(task)}
      <p><a href="/check_task/${task.id}${search}">Refresh</a></p>`,
  })
}

function labelOf({ status }: TaskView): string {
  if (status === 'SUCCESS') return 'Success'
  if (status === 'FAILURE') return 'Failed'
  return status === 'CANCELLED' ? 'Cancelled' : 'Processing'
}

function percent({ progress }: TaskView): string {
  return `${Math.round(progress.fraction * 100)} %`
}

function outcomeOf({ status, result, error }: TaskView) {
  if (status === 'SUCCESS') return html`<p>Result:</p><pre>${JSON.stringify(result, null, 2)}</pre>`
  return error ? html`<p>Error: ${error.message}</p>` : ''
}

function page({ title, body, refreshSeconds }: { title: string; body: unknown; refreshSeconds?: number }) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refreshSeconds ? html`<meta http-equiv="refresh" content="${refreshSeconds}">` : ''}
<title>${title} - Waggle</title>
<style>:root { color-scheme: light dark } body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem } pre { white-space: pre-wrap; overflow-wrap: anywhere }</style>
</head>
<body>
<h1>${title}</h1>
${body}
<p><a href="/">Back to the start</a></p>
</body>
</html>`
}

'use client'
import { useEffect, useState } from 'react'

interface Submitted {
  id: string
  poll_token?: string
}

interface Report {
  status: string
  is_final: boolean
  progress: { fraction: number; message: string | null }
  result: { text: string } | null
  error?: string
}

export function ReportForm() {
  const [submitted, setSubmitted] = useState<Submitted>()
  const [report, setReport] = useState<Report>()
  const [fault, setFault] = useState('')

  useEffect(() => {
    if (!submitted) return
    const stopping = new AbortController()
    follow(submitted, setReport, stopping.signal)
    return () => stopping.abort()
  }, [submitted])

  async function submit(form: FormData) {
    setFault('')
    const body = JSON.stringify({ pages: Number(form.get('pages')) })
    const response = await fetch('/api/reports', { method: 'POST', body })
    const answer = await response.json()
    if (response.ok) setSubmitted(answer)
    else setFault(answer.error)
  }

  return (
    <form action={submit}>
      <input name="pages" type="number" defaultValue={3} aria-label="Pages" />
      <button type="submit">Make a report</button>
      {fault && <p role="alert">{fault}</p>}
      {report && (
        <p role="status">
          {report.status} <progress value={report.progress.fraction} /> {report.progress.message}
          {report.result?.text ?? report.error}
        </p>
      )}
    </form>
  )
}

/** Reads the report every second until it has ended. Errors of the network are tried again. */
async function follow(
  { id, poll_token = '' }: Submitted,
  show: (report: Report) => void,
  signal: AbortSignal,
) {
  while (!signal.aborted) {
    try {
      const response = await fetch(`/api/reports/${id}?token=${encodeURIComponent(poll_token)}`, { signal })
      const report: Report | null = response.ok ? await response.json() : null
      if (signal.aborted) return
      if (report) show(report)
      if (report?.is_final || response.status === 404) return
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}

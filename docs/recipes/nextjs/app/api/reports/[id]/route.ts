import { ApiError } from 'waggle-tasks/client'
import { reader } from '../../../../lib/waggle.ts'

export async function GET(request: Request, { params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const pollToken = new URL(request.url).searchParams.get('token') ?? ''
  try {
    const task = await reader.task({ id, name: 'make_report', poll_token: pollToken })
    const { status, is_final, progress, result, error } = task
    return Response.json({ status, is_final, progress, result, error: error?.message })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const isUnavailable = error.status === 0 || error.status === 429 || error.status >= 500
    return Response.json({ error: error.detail }, { status: isUnavailable ? 503 : 404 })
  }
}

import { ApiError } from 'waggle-tasks/client'
import { waggle } from '../../../lib/waggle.ts'

export async function POST(request: Request) {
  // Check here who asks. Waggle validates the input.
  const input = await request.json()
  try {
    const options = { callback_url: process.env.WAGGLE_CALLBACK_URL }
    const { id, poll_token } = await waggle.submit('make_report', input, { options })
    return Response.json({ id, poll_token }, { status: 202 })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const status = error.status === 422 ? 422 : 503
    return Response.json({ error: error.detail, errors: error.errors }, { status })
  }
}

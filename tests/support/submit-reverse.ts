/** Submits a task `reverse` to an API. @returns its id. @throws Error if it was not accepted */
export async function submitReverse(url: string): Promise<string> {
  const response = await fetch(`${url}/v1/tasks/reverse`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ input: { text: 'ab' } }),
  })
  if (response.status !== 202) throw new Error(`The submission got status ${response.status}`)
  return ((await response.json()) as { id: string }).id
}

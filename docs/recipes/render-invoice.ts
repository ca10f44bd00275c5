import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import PDFDocument from 'pdfkit'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

const LINES_PER_PAGE = 40
const euros = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' })
const clipped = { height: 12, ellipsis: true }

export const renderInvoice = defineTask({
  name: 'render_invoice',
  title: 'Render an invoice',
  description: 'Renders an invoice as PDF. GET /invoices/{id of the task} returns it.',
  input: z.object({
    number: z.string().min(1).max(50),
    customer: z.string().min(1).max(200),
    lines: z
      .array(z.object({ text: z.string().max(200), cents: z.int() }))
      .min(1)
      .max(5_000),
  }),
  output: z.object({ path: z.string(), pages: z.int(), bytes: z.int() }),
  example: { number: '2026-17', customer: 'Ada Ltd', lines: [{ text: 'An engine', cents: 120_000 }] },
  timeoutMs: 60_000,
  isolate: { memoryMb: 384, killGraceMs: 1_000 },
  async run({ number, customer, lines }, { id, attempt, signal, progress }) {
    const pdf = new PDFDocument({ size: 'A4', info: { Title: `Invoice ${number}` } })
    const pages = Math.ceil(lines.length / LINES_PER_PAGE)
    for (let page = 1; page <= pages; page++) {
      // Rendering does not wait for anything: without this, the attempt would not see its abort.
      await nextTurn(undefined, { signal })
      if (page > 1) pdf.addPage()
      pdf.fontSize(9).text(`Invoice ${number} for ${customer}, page ${page} of ${pages}`, 72, 80, clipped)
      const shown = lines.slice((page - 1) * LINES_PER_PAGE, page * LINES_PER_PAGE)
      for (const [index, { text, cents }] of shown.entries()) {
        const y = 110 + index * 15
        pdf.text(text, 72, y, { width: 350, ...clipped })
        pdf.text(euros.format(cents / 100), 430, y, { width: 90, align: 'right' })
      }
      progress(page / pages, `Page ${page} of ${pages}`)
    }
    const total = lines.reduce((sum, { cents }) => sum + cents, 0)
    pdf.text(`Total ${euros.format(total / 100)}`, 72, 730, { width: 448, align: 'right' })
    pdf.end()
    const bytes = await store(pdf, invoiceFile(id), { attempt, signal })
    return { path: `/invoices/${id}`, pages, bytes }
  },
})

/** File of the invoice of a task. The API and all workers need the same folder. */
export function invoiceFile(id: string): string {
  return resolve(process.env.INVOICES_DIR ?? '.data/invoices', `${id}.pdf`)
}

/** Writes the file under the name of this attempt first, so that nobody reads a part of it. */
async function store(pdf: PDFKit.PDFDocument, file: string, by: { attempt: number; signal: AbortSignal }) {
  const part = `${file}.${by.attempt}`
  await mkdir(dirname(file), { recursive: true })
  try {
    await writeFile(part, pdf, { signal: by.signal })
    const { size } = await stat(part)
    await rename(part, file)
    return size
  } finally {
    await rm(part, { force: true })
  }
}

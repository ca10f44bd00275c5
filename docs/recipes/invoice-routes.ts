import { readFile } from 'node:fs/promises'
import { Hono } from 'hono'
import type { ApiEnv, ProjectRoutes, RouteTools } from 'waggle-tasks'
import { invoiceFile, renderInvoice } from './render-invoice.ts'

export const invoiceRoutes = ({ admit, readTask, problem }: RouteTools): ProjectRoutes => ({
  app: new Hono<ApiEnv>().get('/invoices/:id', admit({ access: 'read or poll token' }), async (c) => {
    const { id, name, status } = await readTask(c.req.param('id'))
    if (name !== renderInvoice.name) throw problem('not_found', `Task ${id} renders no invoice`)
    if (status !== 'SUCCESS') throw problem('not_found', `The invoice of task ${id} is not rendered`)
    return c.body(await readFile(invoiceFile(id)), 200, {
      'Content-Type': 'application/pdf',
      'Content-Disposition': `attachment; filename="invoice-${id}.pdf"`,
    })
  }),
})

import { ReportForm } from './report.tsx'

export default function Page() {
  return <ReportForm />
}

/** The audit as a command: it prints, and answers with the exit code. */
import { audit, type AuditOptions } from './audit.ts'
import { renderReport, reportJson } from './report.ts'

export type AuditCommand = Omit<AuditOptions, 'onProgress'> & {
  readonly json?: boolean
  readonly write: (text: string) => void
  readonly writeProgress?: (text: string) => void
}

/** 0 only if everything held; 1 if something failed; 2 if something, or all, could not be read. */
export async function runAudit({
  json = false,
  write,
  writeProgress,
  ...options
}: AuditCommand): Promise<0 | 1 | 2> {
  try {
    const report = await audit({ ...options, onProgress: (what) => writeProgress?.(`${what}\n`) })
    write(json ? `${reportJson(report)}\n` : renderReport(report))
    return report.exitCode
  } catch (error) {
    // Whatever stops an audit is a thing not read: what is wrong on L1 is in a report.
    const problem = error instanceof Error ? error.message : String(error)
    write(
      json
        ? `${JSON.stringify({ verdict: 'unread', exitCode: 2, problem }, null, 2)}\n`
        : `The audit could not be done: ${problem}\n`,
    )
    return 2
  }
}

// Reads the reports of .ci/reporter.mjs.
//   failed REPORT                  the files with failures, a line each: none if there are too many to be chance
//   total STATUS REPORT [SECOND]   the closing line. SECOND is of the failed files of REPORT, run again;
//                                  STATUS is how the last run ended.
import { readFileSync } from 'node:fs'

const MOST_AGAIN = 3

const [mode, ...rest] = process.argv.slice(2)
if (mode === 'failed') for (const file of failedFiles(rest[0])) console.log(file)
else process.exitCode = total(...rest)

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

function failedFiles(path) {
  const files = Object.entries(read(path)?.files ?? {}).filter(
    ([, { failed }]) => failed.length > 0,
  )
  return files.length > MOST_AGAIN ? [] : files.map(([file]) => file)
}

function total(status, first, second) {
  const reports = (second === undefined ? [first] : [first, second]).map(read)
  let [passed, skipped] = [0, 0]
  // An error outside any test, and a run that broke off, fail without a failed test.
  let failed = 0
  for (const report of reports) failed += report === null ? 1 : report.errors
  for (const file of Object.values(Object.assign({}, ...reports.map((report) => report?.files)))) {
    passed += file.passed
    skipped += file.skipped
    failed += file.failed.length
  }
  if (status !== '0') failed ||= 1
  if (second !== undefined)
    for (const [path, file] of Object.entries(reports[0]?.files ?? {}))
      for (const name of file.failed) console.log(`failed when all ran: ${path} > ${name}`)
  if (skipped > 0) console.log(`${skipped} skipped; each says why`)
  console.log(`${passed} passed, ${failed} failed`)
  return failed > 0 || passed === 0 ? 1 : 0
}

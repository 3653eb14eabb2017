// Writes what .ci/count.mjs reads into the file CI_REPORT: { files: { [path]: { passed, skipped, failed } }, errors },
// with the names of the tests that failed, and how many errors belong to no test.
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'

export default class Report {
  onTestRunEnd(modules, unhandledErrors) {
    const files = {}
    for (const module of modules) {
      const counted = { passed: 0, skipped: 0, failed: [] }
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') counted.passed++
        else if (state === 'failed') counted.failed.push(test.fullName)
        else counted.skipped++
      }
      // A file that cannot be loaded has no test that fails, nor has a hook around all of them.
      if (module.state() === 'failed' && counted.failed.length === 0)
        counted.failed.push('the file')
      files[relative(process.cwd(), module.moduleId)] = counted
    }
    writeFileSync(process.env.CI_REPORT, JSON.stringify({ files, errors: unhandledErrors.length }))
  }
}

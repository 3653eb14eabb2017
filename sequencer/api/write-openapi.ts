/** Writes docs/openapi.json from the routes as they are. */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openApiText } from '../api.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
writeFileSync(join(root, 'docs', 'openapi.json'), await openApiText())

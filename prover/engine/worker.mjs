// Starts worker.ts from source: on Node 20 `--import tsx` does nothing in a worker thread, which
// must register the loader itself. After a build, worker.js is started directly.

import { register } from 'tsx/esm/api'

register()
await import('./worker.ts')

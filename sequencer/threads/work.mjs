// Starts work.ts from source: on Node 20 `--import tsx` does nothing in a worker thread, which must
// register the loader itself. After a build, work.js is started directly.

import { register } from 'tsx/esm/api'

register()
await import('./work.ts')

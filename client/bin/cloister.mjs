#!/usr/bin/env node
import { register } from 'tsx/esm/api'

register()
const { flushed, outliveReaders } = await import('../cli/flush.ts')
const { main } = await import('../cli/main.ts')
outliveReaders()
const code = await main(process.argv.slice(2))
await flushed()
process.exit(code)

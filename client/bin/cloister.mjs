#!/usr/bin/env node
import { register } from 'tsx/esm/api'

register()
const { runOnConsole } = await import('../cli/console.ts')
process.exit(await runOnConsole(process.argv.slice(2)))

/** Each test of a file on the chain as it stands when this is called. */
import { beforeEach } from 'vitest'
import { provider } from './l1.ts'

/** To be called after the file has set up what its tests share. */
export function startOverEach(): void {
  let start: string | undefined
  beforeEach(async () => {
    if (start !== undefined) await provider.send('evm_revert', [start])
    start = (await provider.send('evm_snapshot', [])) as string
  })
}

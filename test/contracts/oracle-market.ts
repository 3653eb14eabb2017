/** A market document of the recorded day, with prices to choose; it needs no chain. */
import { INSTRUMENTS, marketAt } from '../../oracle/day-2020-03-12.ts'
import { decimalOfMicro } from '../../oracle/signer/decimal.ts'
import type { MarketDocument } from '../../oracle/signer/engine.ts'

/** Without the perpetual: these markets have no funding. */
export const DATED = INSTRUMENTS.filter(({ kind }) => kind !== 'perpetual')
export const BTC = 6_067_010_000n
export const ETH = 136_590_000n

export function marketDocument(time: number, btc = BTC, eth = ETH): MarketDocument {
  const { scanRange, vol, liquidity, rate } = marketAt(2)
  const state = (id: number, name: 'BTC' | 'ETH', spot: bigint) => ({
    id,
    name,
    spot: decimalOfMicro(spot),
    vol: String(vol[name]),
    scanRange: scanRange[name].toFixed(6).replace(/0+$/, ''),
    liquidity: String(liquidity[name]),
    volGrid: [],
    carry: [],
    discount: [],
  })
  return {
    version: 2,
    time,
    rate: String(rate),
    underlyings: [state(1, 'BTC', btc), state(2, 'ETH', eth)],
    perpetuals: [],
    halted: [],
  }
}

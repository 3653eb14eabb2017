/** The accounts of Hardhat's embedded chain: their mnemonic is public, they hold play money only. */
import { HDNodeWallet, Mnemonic } from 'ethers'

const MNEMONIC = 'test test test test test test test test test test test junk'

export function developmentAccounts(
  count: number,
): readonly { readonly address: string; readonly key: string }[] {
  const mnemonic = Mnemonic.fromPhrase(MNEMONIC)
  return Array.from({ length: count }, (_, i) => {
    const wallet = HDNodeWallet.fromMnemonic(mnemonic, `m/44'/60'/0'/0/${i}`)
    return { address: wallet.address, key: wallet.privateKey }
  })
}

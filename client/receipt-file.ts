/**
 * A receipt in a file, with the page that it is for: evidence against the operator that anybody
 * checks without asking anybody.
 */
import { headAfter, type Page } from '../circuits/page.ts'
import { pageOf, type Line } from './journal-file.ts'
import { signerOfReceipt, type Receipt } from './receipt.ts'

export type ReceiptFile = Receipt & {
  readonly domain: bigint
  /** What the head says was admitted last; null where the journal does not have it any more. */
  readonly accepted: { readonly previousHead: bigint; readonly page: Page } | null
}
const FORMAT = 'cloister receipt 1'

/** The receipt for a head, or the last one, out of a member's journal; null if there is none. */
export function receiptIn(lines: readonly Line[], head: bigint | null): ReceiptFile | null {
  const opened = lines.find((line) => line.type === 'open')
  const receipts = lines.filter((line) => line.type === 'receipt')
  const found = head === null ? receipts.at(-1) : receipts.find((line) => line.head === head)
  if (opened === undefined || found === undefined) return null
  const pages = lines.flatMap((line) =>
    line.type === 'page' ? [line] : line.type === 'rebase' ? line.pages : [],
  )
  const signed = pages.find((page) => page.head === found.head)
  const { account, time, signature } = found
  return {
    domain: opened.domain,
    account,
    head: found.head,
    time,
    signature,
    accepted:
      signed === undefined ? null : { previousHead: signed.previousHead, page: signed.page },
  }
}

export function receiptFileText(file: ReceiptFile): string {
  const words = { format: FORMAT, ...file }
  return `${JSON.stringify(words, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value), 2)}\n`
}

/** Throws what is no receipt, in words. */
export function parseReceiptFile(text: string): ReceiptFile {
  let json: Record<string, unknown>
  try {
    json = JSON.parse(text) as Record<string, unknown>
  } catch {
    throw new Error('the file is not JSON')
  }
  if (typeof json !== 'object' || json === null || json['format'] !== FORMAT)
    throw new Error(`the file does not say that it is a ${FORMAT}`)
  const number = (name: string, value: unknown): bigint => {
    if (typeof value !== 'string' || !/^(0|[1-9][0-9]{0,77})$/.test(value))
      throw new Error(`${name} must be a decimal string`)
    return BigInt(value)
  }
  const { account, signature, accepted } = json
  if (!Number.isSafeInteger(account)) throw new Error('account must be a whole number')
  if (typeof signature !== 'string') throw new Error('signature must be a text')
  const shown = accepted as { previousHead?: unknown; page?: unknown } | null | undefined
  return {
    domain: number('domain', json['domain']),
    account: account as number,
    head: number('head', json['head']),
    time: number('time', json['time']),
    signature,
    accepted:
      shown === null || shown === undefined
        ? null
        : {
            previousHead: number('accepted.previousHead', shown.previousHead),
            page: pageOf(shown.page),
          },
  }
}

export type ReceiptCheck = {
  /** Who signed, in lower case; null if nobody did. */
  readonly signer: string | null
  /** Whether the page that is shown leads to the head; null where none is shown. */
  readonly isOfPage: boolean | null
}

export function checkReceiptFile(file: ReceiptFile): ReceiptCheck {
  const { domain, account, accepted } = file
  return {
    signer: signerOfReceipt(domain, file),
    isOfPage:
      accepted === null
        ? null
        : accepted.page.account === account &&
          headAfter(accepted.previousHead, accepted.page) === file.head,
  }
}

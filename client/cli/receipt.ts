/** `cloister receipt`: the operator's signature that it has admitted a page, kept and checked. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import { fileTrouble, Undone } from './failures.ts'
import { fromHere } from './root.ts'

type CommonOf = (command: Command) => Common
type Run = (work: Promise<Result>) => Promise<void>

const HELP = `
Both work without a house, a node or a network. Examples:
  cloister receipt save ANN receipt.json
  cloister receipt verify receipt.json --operator 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
  cloister receipt verify receipt.json --operator 0x... --contract 0x... --chain-id 1
Exit codes: 0 it holds, 1 it does not, 2 it could not be read.`

/** Adds the group `receipt` to the program. */
export function receiptCommand(program: Command, commonOf: CommonOf, run: Run): void {
  const group = program
    .command('receipt')
    .description('keep and check what the operator has signed for')
    .addHelpText('after', HELP)
  group
    .command('save <name> <file>')
    .description("write a receipt of the member's journal to a file, with the page that it is for")
    .option('--head <head>', 'the head that it is for (default: the last)')
    .addHelpText('after', HELP)
    .action((name: string, file: string, { head }: { head?: string }, command: Command) =>
      run(save(name, file, head ?? null, commonOf(command))),
    )
  group
    .command('verify <file>')
    .description('check a receipt: who signed it, and that the page leads to its head')
    .requiredOption('--operator <address>', 'who must have signed: as L1 has the operator')
    .option('--contract <address>', 'the contract that it must speak for')
    .option('--chain-id <number>', 'the chain of that contract')
    .addHelpText('after', HELP)
    .action((file: string, options: VerifyOptions, command: Command) => {
      commonOf(command)
      return run(verify(file, options))
    })
}

async function save(
  name: string,
  file: string,
  head: string | null,
  options: Common,
): Promise<Result> {
  const [{ MemberStore }, { readLines }, { receiptIn, receiptFileText }] = await Promise.all([
    import('./store.ts'),
    import('../journal-file.ts'),
    import('../receipt-file.ts'),
  ])
  const store = new MemberStore(name, options.dir)
  if (head !== null && !/^[0-9]{1,77}$/.test(head)) throw new Undone('--head must be a number')
  if (!existsSync(store.journalPath)) {
    // Of nobody nothing can be said; without a record, a journal beside a seed still counts.
    void store.stored
    throw new Undone(`${name} has signed nothing yet`)
  }
  const { lines } = readLines(store.journalPath)
  const found = receiptIn(lines, head === null ? null : BigInt(head))
  if (found === null)
    throw new Undone(`${name} has no receipt${head === null ? '' : ' of this head'}`)
  const path = fromHere(file)
  keep(path, receiptFileText(found))
  return {
    text:
      `receipt of ${name} for head ${found.head} written to ${path}\n` +
      'It shows the page in plain text: give it to whoever may know that trade.',
    json: { name, file: path, account: found.account, head: `${found.head}` },
  }
}

/** Evidence is never written over; the same receipt again is no other one. */
function keep(path: string, text: string): void {
  if (existsSync(path)) {
    if (readFileSync(path, 'utf8') === text) return
    throw new Undone(`${path} exists and holds something else: a receipt overwrites nothing`)
  }
  writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
}

type VerifyOptions = {
  readonly operator: string
  readonly contract?: string
  readonly chainId?: string
}

async function verify(file: string, options: VerifyOptions): Promise<Result> {
  const [{ parseReceiptFile, checkReceiptFile }, { parseAddress }, { domainOf }] =
    await Promise.all([
      import('../receipt-file.ts'),
      import('./terms.ts'),
      import('../l1/batch-words.ts'),
    ])
  const operator = parseAddress(options.operator)
  const { contract, chainId } = options
  if ((contract === undefined) !== (chainId === undefined))
    throw new Undone('--contract and --chain-id go together')
  if (chainId !== undefined && !/^[1-9][0-9]{0,17}$/.test(chainId))
    throw new Undone('--chain-id must be a number')
  const domain =
    contract === undefined || chainId === undefined
      ? null
      : domainOf(BigInt(chainId), parseAddress(contract))
  const receipt = read(file, parseReceiptFile)
  const { signer, isOfPage } = checkReceiptFile(receipt)
  const faults = [
    ...(signer === null
      ? ['nobody has signed it']
      : BigInt(signer) === BigInt(operator)
        ? []
        : [`it is signed by ${parseAddress(signer)}, not by ${operator}`]),
    ...(isOfPage === false ? ['the page that it shows does not lead to its head'] : []),
    ...(domain === null || domain === receipt.domain ? [] : ['it speaks for another contract']),
  ]
  const when = new Date(Number(receipt.time) * 1000)
  const time = Number.isNaN(when.getTime()) ? `second ${receipt.time}` : when.toISOString()
  const said = [
    `account ${receipt.account}, head ${receipt.head}, admitted at ${time}`,
    ...(isOfPage === null
      ? ['no page is shown']
      : [`the page: ${receipt.accepted?.page.kind}, stamp ${receipt.accepted?.page.stamp}`]),
  ]
  return {
    text: [...said, ...(faults.length === 0 ? ['the receipt holds'] : faults)].join('\n'),
    json: {
      account: receipt.account,
      head: `${receipt.head}`,
      time: `${receipt.time}`,
      signer,
      pageShown: isOfPage !== null,
      faults,
    },
    code: faults.length === 0 ? 0 : 1,
  }
}

function read<T>(file: string, parse: (text: string) => T): T {
  let text: string
  try {
    text = readFileSync(fromHere(file), 'utf8')
  } catch (error) {
    throw new Undone(fileTrouble(error) ?? `${file} cannot be read`)
  }
  try {
    return parse(text)
  } catch (error) {
    throw new Undone(`${file}: ${error instanceof Error ? error.message : 'it is no receipt'}`)
  }
}

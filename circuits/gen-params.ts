/** Writes the constants of the law for Circom and Solidity, and docs/encodings.md. Run: npm run generate. */
import { writeFileSync, mkdirSync } from 'node:fs'
import { ENCODINGS, PACKED_WORDS } from './encodings.ts'
import * as params from './params.ts'
import { emptyRoot } from './tree.ts'
import { CHALLENGE_NAMES } from './challenges.ts'
import { paddingHead } from './page.ts'
import { readingGuide } from './reading.ts'
import { headerWords, REQUEST_DATA, wordLayout } from './words.ts'

const NUMBERS = [
  'SLOT_COUNT',
  'WORLD_COUNT',
  'ROW_VALUE_COUNT',
  'BALANCE_WORD_COUNT',
  'TREE_DEPTH',
  'INDEX_BITS',
  'FIRST_MEMBER_INDEX',
  'FEE_ACCOUNT_INDEX',
  'SETTLEMENT_DEPTH',
  'WINDOW_DEPTH',
  'WINDOW_COUNT',
  'TABLE_NODE_COUNT',
  'NODE_POSITION_BITS',
  'INSTRUMENT_BITS',
  'CASH_ID',
  'TOKEN_BITS',
  'QUANTITY_BITS',
  'QUANTITY_OFFSET',
  'AMOUNT_BITS',
  'FEE_BITS',
  'WORLD_BITS',
  'ADD_ON_BITS',
  'ROW_STATUS_BITS',
  'STAMP_RANDOM_BITS',
  'PAGE_LIFE_BITS',
  'STAMP_AGE_BITS',
  'MAX_FEE_SHIFT',
  'LIVE_COUNT_BITS',
  'CIPHER_WORD_COUNT',
  'META_BITS',
  'TIME_BITS',
  'PAGE_LIFE_SECONDS_BITS',
  'CALL_SECONDS',
] as const

const GENERATED =
  'Generated from circuits/params.ts and circuits/encodings.ts by `npm run generate`.'

export function circomConstants(): string {
  const lines = [`// ${GENERATED}`, 'pragma circom 2.2.0;', '']
  const put = (name: string, value: bigint | number): void => {
    lines.push(`function ${name}() { return ${value}; }`)
  }
  for (const name of NUMBERS) put(name, params[name])
  put('ACTIVE', params.STATUS.active)
  put('CALLED', params.STATUS.called)
  put('LIQUIDATING', params.STATUS.liquidating)
  put('SETTLED', params.ROW_STATUS.settled)
  put('EXITING', params.STATUS.exiting)
  for (const [name, { tag }] of Object.entries(ENCODINGS)) put(`TAG_${name}`, tag)
  CHALLENGE_NAMES.forEach((name, i) => put(`CH_${name}`, i))
  put('PADDING_HEAD', paddingHead())
  put('EMPTY_TABLE_BRANCH', emptyRoot(params.TABLE_DEPTH - 1))
  put('HEADER_WORD_COUNT', headerWords.length)
  return lines.join('\n') + '\n'
}

export function shapeCircuit(shape: params.Shape): string {
  const sizes = [
    shape.pages,
    shape.members,
    shape.rows,
    shape.rowsPerNode,
    shape.deposits,
    shape.withdrawals,
    shape.requests,
    shape.rotations,
    shape.rescues,
    shape.forcedExits,
    shape.reductions,
    shape.releases,
  ]
  return (
    `// Shape ${shape.name}. ${GENERATED}\npragma circom 2.2.0;\n\ninclude "../batch.circom";\n\n` +
    `component main {public [C, x, y]} = Batch(${sizes.join(', ')});\n`
  )
}

export function solidityConstants(): string {
  const lines = [
    '// SPDX-License-Identifier: GPL-3.0-or-later',
    `// ${GENERATED}`,
    'pragma solidity ^0.8.28;',
    '',
    'library Law {',
    `    uint256 internal constant FIELD_MODULUS = ${params.FIELD_MODULUS};`,
  ]
  const put = (name: string, value: bigint | number): void => {
    lines.push(`    uint256 internal constant ${name} = ${value};`)
  }
  for (const name of [
    'TREE_DEPTH',
    'WINDOW_DEPTH',
    'WINDOW_COUNT',
    'FIRST_MEMBER_INDEX',
    'CASH_ID',
    'CIPHER_WORD_COUNT',
    'FEE_BITS',
    'AMOUNT_BITS',
    'TIME_BITS',
  ] as const)
    put(name, params[name])
  put('ACCOUNT_UPPER_BOUND', params.ACCOUNT_UPPER_BOUND)
  put('TOKEN_UPPER_BOUND', params.TOKEN_UPPER_BOUND)
  put('PAGE_LIFE_SECONDS', 1 << params.PAGE_LIFE_SECONDS_BITS)
  put('CALL_SECONDS', params.CALL_SECONDS)
  put('REQUEST_REGISTER', params.REQUEST_KIND.register)
  put('REQUEST_ROTATE', params.REQUEST_KIND.rotate)
  put('REQUEST_FORCED_EXIT', params.REQUEST_KIND.forcedExit)
  put('MODE_NORMAL', params.MODE.normal)
  put('MODE_REDUCE_ONLY', params.MODE.reduceOnly)
  headerWords.forEach((name, i) =>
    put(`WORD_${name.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase()}`, i),
  )
  put('HEADER_WORDS', headerWords.length)
  lines.push('}')
  return lines.join('\n') + '\n'
}

export function encodingsPage(): string {
  const out = [
    '# Encodings',
    '',
    GENERATED,
    '',
    'Every hash is `hash(tag, words)`: Poseidon over BN254 as in circomlib, the tag being the initial',
    'capacity. More than 16 words are absorbed 16 at a time, output 0 taking the place of the capacity.',
    '',
    '| name | tag | words in order | why |',
    '|---|---|---|---|',
  ]
  for (const [name, e] of Object.entries(ENCODINGS)) {
    out.push(`| ${name} | ${e.tag} | ${e.fields.join(', ').replaceAll('|', '\\|')} | ${e.why} |`)
  }
  out.push('', '## Packed words (lowest bit first)', '', '| word | fields and bits |', '|---|---|')
  for (const [name, text] of Object.entries(PACKED_WORDS))
    out.push(`| ${name} | ${text.replaceAll('|', '\\|')} |`)
  out.push('', '## Numbers', '', '| name | value |', '|---|---|')
  for (const name of NUMBERS) out.push(`| ${name} | ${params[name]} |`)
  out.push(
    '',
    '## Challenges',
    '',
    'Outputs of one permutation on x: ' + CHALLENGE_NAMES.join(', ') + '.',
  )
  out.push('', ...readingGuide())
  out.push(
    '## Public words',
    '',
    'Filled by: **L1** = from its own storage, prover = from calldata.',
    '',
  )
  out.push(
    'Request words by kind (data0 to data3; zero where nothing stands). All from L1 but the amount of a forced',
    'exit, which the prover shows and L1 books as owed to the address:',
    '',
    '| kind | data0 | data1 | data2 | data3 |',
    '|---|---|---|---|---|',
    ...Object.entries(REQUEST_DATA).map(([kind, data]) => `| ${kind} | ${data.join(' | ')} |`),
    '',
  )
  for (const shape of params.SHAPES) {
    out.push(
      `### ${shape.name}`,
      '',
      '| first word | name | count | filled by |',
      '|---|---|---|---|',
    )
    for (const part of wordLayout(shape))
      out.push(`| ${part.first} | ${part.name} | ${part.count} | ${part.filledBy} |`)
    out.push('')
  }
  return out.join('\n')
}

if (import.meta.filename === process.argv[1]) {
  mkdirSync('circuits/generated', { recursive: true })
  writeFileSync('circuits/generated/params.circom', circomConstants())
  mkdirSync('contracts/generated', { recursive: true })
  writeFileSync('contracts/generated/Law.sol', solidityConstants())
  for (const shape of params.SHAPES)
    writeFileSync(`circuits/shapes/${shape.name}.circom`, shapeCircuit(shape))
  writeFileSync('docs/encodings.md', encodingsPage())
}

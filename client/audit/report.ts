/** An audit in words for people and in JSON for machines. */
import type { AuditReport } from './audit.ts'
import type { Section } from './checks.ts'
import { hexWord } from '../../circuits/hex-word.ts'
import { timeText } from '../time-text.ts'
import { standingLines } from './standing.ts'

const SECTIONS: readonly (readonly [Section, string])[] = [
  ['state', 'State: what the events of L1 give'],
  ['record', 'Record: what the contract itself has stored'],
  ['vault', 'Vault: where the money is'],
  ['code', 'Code: what runs on L1, and who may change what'],
  ['keys', 'Keys: what a proof proves'],
  ['proofs', 'Proofs: each batch verified again'],
]
const MARKS = { held: 'ok  ', failed: 'FAIL', unread: '?   ' } as const
/** More failures than these of one section are counted, not printed. */
const LINES_A_SECTION = 40

export function renderReport(report: AuditReport): string {
  return (
    [
      ...opening(report),
      ...sections(report),
      ...figures(report),
      ...outsider(report),
      ...conclusions(report),
    ].join('\n') + '\n'
  )
}

function opening(report: AuditReport): string[] {
  const verdicts = {
    held: 'EVERYTHING THAT WAS CHECKED HELD',
    failed: 'SOMETHING FAILED: see the lines marked FAIL',
    unread: 'NOTHING FAILED, BUT NOT EVERYTHING COULD BE CHECKED: see the lines marked ?',
  } as const
  const lines = [
    `Audit of ${report.contract} on chain ${report.chainId}`,
    `as of block ${report.block.number} (${report.block.hash}), ${timeText(report.block.time)}`,
    `Verdict: ${verdicts[report.verdict]}`,
    ...standingLines(report.standing),
  ]
  const development = report.shapes.filter((shape) => shape.isDevelopmentKey)
  if (development.length > 0) {
    lines.push(
      '',
      '!!! DEVELOPMENT KEYS !!!',
      `Shapes ${development.map((s) => s.name).join(', ')} are proven under keys whose secret is ` +
        'public. ANYONE CAN FORGE A PROOF',
      'that this contract accepts, and take all it holds. Nothing below excludes that. For ' +
        'trying out only.',
    )
  }
  return lines
}

function sections(report: AuditReport): string[] {
  return SECTIONS.flatMap(([section, title]) => {
    const own = report.checks.filter((check) => check.section === section)
    const shown = own.slice(0, LINES_A_SECTION)
    const quiet = report.quietlyHeld.get(section) ?? 0
    return [
      '',
      title,
      ...shown.map((check) => `  ${MARKS[check.status]}  ${check.name}: ${check.detail}`),
      ...(own.length > shown.length ? [`        ... and ${own.length - shown.length} more`] : []),
      ...(quiet > 0 ? [`  ok    ${quiet} single checks of this kind held`] : []),
    ]
  })
}

function figures({ figures: f, tokens, proofs, shapes }: AuditReport): string[] {
  return [
    '',
    'Figures',
    '  batches                ' +
      `${f.batches}${f.batches > 0n ? `, the last at ${timeText(f.lastBatchTime)}` : ''}`,
    `  proofs                 ${proofs.verified} verified again, ${proofs.unreadable} not ` +
      `readable, ${proofs.withoutKey} without a key here, ${proofs.failed} failed`,
    `  member accounts        ${f.members}`,
    `  leaves written         ${f.leavesWritten}`,
    `  L1 requests            ${f.requestsServed} served of ${f.requests}`,
    `  deposits, withdrawals  ${f.deposits}, ${f.withdrawals}`,
    `  tables, settlements    ${f.tables}, ${f.settlements}`,
    `  fee                    ${f.fee} micro-dollars a page`,
    `  root                   ${hexWord(f.root)}`,
    ...shapes.map(
      (s) =>
        `  shape ${s.name.padEnd(16)} ${s.batches} batches, key ` +
        `${s.keyHash}${s.isDevelopmentKey ? ' (DEVELOPMENT)' : ''}`,
    ),
    ...tokens.flatMap((t) => [
      `  token ${t.id} (${t.address}, ${t.unit} raw units a lot), in lots:`,
      `    vault ${t.vault} = owed ${t.owed} + unconsumed deposits ${t.unconsumed} + balances of ` +
        `all accounts ${t.balances}`,
      `    ever: deposited ${t.totals.deposited}, refunded ${t.totals.refunded}, credited ` +
        `${t.totals.consumed}, withdrawn ${t.totals.withdrawn}, claimed ${t.totals.claimed}`,
    ]),
  ]
}

function outsider({ footprint }: AuditReport): string[] {
  const { total, batches } = footprint
  return [
    '',
    'What an outsider sees of the accounts',
    `  ${total.commitmentBytes} bytes of commitments and ${total.cipherBytes} bytes of ` +
      `ciphertext in ${batches.length} batches: ${total.touchedMembers} leaves of members, ` +
      'and one of the fee account in each batch',
    `  ${total.openBytes} bytes in clear: headers, deposits, requests, withdrawals, indices of ` +
      'touched accounts, padding',
    '  Which accounts a batch touched shows, cover included; what moved, with whom and at what ' +
      'price does not.',
  ]
}

function conclusions({ proofs, hasDevelopmentKey, verdict }: AuditReport): string[] {
  const all = proofs.verified === proofs.batches && verdict === 'held'
  return [
    '',
    'What you can conclude',
    ...(all && proofs.batches === 0
      ? ['  No batch yet: there was no proof to verify, and nobody has traded.']
      : []),
    ...(all && proofs.batches > 0
      ? [
          ...(hasDevelopmentKey
            ? ['  If nobody has used the public secret of the development keys:']
            : []),
          '  Every change of every account follows the circuits of this checkout: signed by',
          '  its owner, matched by its counterparty, netted, solvent at the posted table, and ' +
            'paid for out of the vault.',
          '  The accounts together hold, of each token, exactly what the vault holds for them.',
        ]
      : []),
    ...(all
      ? []
      : [
          '  Only what the lines marked ok say. Where a proof was not verified here, you rely on ' +
            'the contract that accepted it.',
        ]),
    '',
    'What you cannot conclude from L1 alone',
    "  That accounts which no batch has touched since are still solvent at today's values.",
    '  That the values of the tables are right: L1 has their roots, not the worlds. Recompute ' +
      "them from the oracle's file.",
    '  What any one account holds. Its owner can open it to you with batch keys.',
    '  That settled instruments not yet turned into cash net to zero in cash today: they do when ' +
      'touched.',
    '  That a key was made by an honest ceremony: `cloister ceremony verify` checks its transcript.',
    '',
  ]
}

/** The report as JSON: numbers beyond 2^53 as decimal strings, maps as objects. */
export function reportJson(report: AuditReport): string {
  return JSON.stringify(
    report,
    (_, value: unknown) =>
      typeof value === 'bigint'
        ? `${value}`
        : value instanceof Map
          ? (Object.fromEntries(value) as unknown)
          : value,
    2,
  )
}

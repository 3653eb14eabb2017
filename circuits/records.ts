/**
 * The slots of circuits/records.circom, field by field, from the signals that a batch or a sweep names.
 * A field is named as its signal or ends as it does (`old.id` is oldId). A test compares the two.
 */
import type { WitnessInput, WitnessValue } from './witness.ts'

/** By bus, in the order of its fields. */
export const SLOT_FIELDS = {
  PageSlot: [
    'isLive',
    'isSkipped',
    'kindBit',
    'account',
    'counterparty',
    'stamp',
    'maxFee',
    'previousHead',
    'payload',
    'instrument',
    'quantity',
    'price',
  ],
  AccountSlot: [
    'isEmpty',
    'isRegistered',
    'isRotatedByL1',
    'isForced',
    'isPaid',
    'flagChange',
    'isSigned',
    'oldOwnerKeyHash',
    'oldViewKeyHash',
    'oldHead',
    'oldMeta',
    'oldSalt',
    'oldId',
    'oldQuantity',
    'newOwnerKeyHash',
    'newHead',
    'viewKey',
    'newId',
    'newQuantity',
    'signerX',
    'signerY',
    'signatureX',
    'signatureY',
    'signatureS',
  ],
  Claim: ['isConverted', 'isReduced', 'conversionCash', 'liveCount', 'difference'],
  FeeAccountSlot: [
    'feeAccountViewKeyHash',
    'feeAccountMeta',
    'feeAccountSalt',
    'feeAccountCash',
    'feeAccountViewKey',
  ],
  RescueSlot: ['rescueChoice', 'isWorse', 'oldWorth'],
  CallSlot: ['callStep', 'callWorld'],
  ReleaseSlot: ['releaseChoice', 'releaseStep'],
  DepositSlot: ['depositSecret', 'depositChoice'],
  WithdrawalSlot: ['withdrawalStamp', 'withdrawalChoice'],
  RequestSlot: ['requestSerial', 'requestChoice'],
  RotationSlot: ['rotationIsUsed', 'rotationX', 'rotationY', 'rotationChoice'],
  ForcedExitSlot: ['forcedChoice', 'forcedCap', 'forcedWorld', 'forcedRow'],
  ReductionSlot: [
    'reductionChoice',
    'reductionId',
    'reductionKept',
    'reductionClosed',
    'reductionIsShort',
  ],
  RowSlot: ['rowIsUsed', 'rowPlace', 'rowId', 'rowStatus', 'rowAddOn', 'rowValue'],
  Opening: [
    'marksRoot',
    'tableFlags',
    'tableNode',
    'settledNode',
    'windowBit',
    'windowChild',
    'nodePosition',
    'nodeChild',
  ],
} as const
export type SlotName = keyof typeof SLOT_FIELDS

/** The parts of the bus `Slots`, in its order. */
export const SLOTS: readonly SlotName[] = [
  'PageSlot',
  'AccountSlot',
  'Claim',
  'RescueSlot',
  'Opening',
  'RowSlot',
  'DepositSlot',
  'WithdrawalSlot',
  'RotationSlot',
  'ReductionSlot',
]
/** Buses that a batch has one of, their fields not being lists of one entry a slot. */
const SINGLE: readonly SlotName[] = ['FeeAccountSlot', 'Opening']
const WORDS = ['header', 'depositWord', 'requestWord', 'withdrawalWord', 'accountWord'] as const

function pour(value: WitnessValue | undefined, into: bigint[]): void {
  if (typeof value === 'bigint') into.push(value)
  else for (const part of value ?? []) pour(part, into)
}

/** The slots of one kind, one after the other. */
function slotValues(signals: WitnessInput, name: SlotName): bigint[] {
  const values: bigint[] = []
  const fields = SLOT_FIELDS[name].map((field) => signals[field])
  if (SINGLE.includes(name)) pour(fields as WitnessValue[], values)
  else {
    const [first] = fields
    const count = Array.isArray(first) ? first.length : 0
    for (let i = 0; i < count; i++)
      for (const field of fields) pour((field as readonly WitnessValue[])[i], values)
  }
  return values
}

/** The inputs of the circuit `Batch`: words and slots as the flat lists that its buses are. */
export function batchInput(signals: WitnessInput): WitnessInput {
  const words: bigint[] = []
  for (const part of WORDS) pour(signals[part], words)
  const kept = ['C', 'x', 'y', 'commitmentSalt', 'rowQuantity', 'rowSize', 'topNode', 'child']
  return {
    ...Object.fromEntries(kept.map((name) => [name, signals[name] as WitnessValue])),
    words,
    slots: SLOTS.flatMap((name) => slotValues(signals, name)),
    feeAccount: slotValues(signals, 'FeeAccountSlot'),
    request: slotValues(signals, 'RequestSlot'),
    forcedExit: slotValues(signals, 'ForcedExitSlot'),
    call: slotValues(signals, 'CallSlot'),
    release: slotValues(signals, 'ReleaseSlot'),
  }
}

/** The inputs of the circuit `Sweep`, which reads rows as a batch does. */
export function sweepInput(signals: WitnessInput): WitnessInput {
  const poured: readonly string[] = [...SLOT_FIELDS.Opening, ...SLOT_FIELDS.RowSlot]
  return {
    ...Object.fromEntries(Object.entries(signals).filter(([name]) => !poured.includes(name))),
    opening: slotValues(signals, 'Opening'),
    row: slotValues(signals, 'RowSlot'),
  }
}

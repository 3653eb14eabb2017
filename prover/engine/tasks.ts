/** What the threads of a proof are told, and what they share. */
import type { CurveModule } from '../bn254.ts'
import type { GroupName } from '../fixed-base.ts'

export type SectionName = 'A' | 'B1' | 'B2' | 'C' | 'H'

/** Points of the key as they stand in its file; shared, so that a thread copies what it needs. */
export type KeySections = { readonly [name in SectionName]: SharedArrayBuffer } & {
  /** 44 bytes each: matrix, constraint, wire, value; in the order of the constraints. */
  readonly coefficients: SharedArrayBuffer
  readonly nVars: number
  readonly domainSize: number
}

/** Of one proof. Values are in Montgomery form but for the witness and the quotient. */
export type ProofMemory = {
  readonly witness: SharedArrayBuffer
  readonly a: SharedArrayBuffer
  readonly b: SharedArrayBuffer
  readonly c: SharedArrayBuffer
  readonly quotient: SharedArrayBuffer
}

export type Start = { readonly curveModule: CurveModule; readonly key: KeySections }

export type Task =
  /** Coefficients first..end, which belong to whole constraints from..to: rows of a, b and c. */
  | {
      readonly kind: 'rows'
      readonly first: number
      readonly end: number
      readonly from: number
      readonly to: number
      readonly memory: ProofMemory
    }
  /** From values on the domain to values on its odd coset. */
  | { readonly kind: 'shift'; readonly values: SharedArrayBuffer }
  | {
      readonly kind: 'join'
      readonly from: number
      readonly to: number
      readonly memory: ProofMemory
    }
  | {
      readonly kind: 'window'
      readonly section: SectionName
      readonly digits: SharedArrayBuffer
      /** Of the window's first digit, in digits, and how many there are. */
      readonly first: number
      readonly count: number
      readonly bits: number
    }

/** A Jacobian point for a window; nothing for the others. */
export type TaskAnswer =
  | { readonly ok: true; readonly point: Uint8Array | null }
  | { readonly ok: false; readonly message: string }

export function groupOf(section: SectionName): GroupName {
  return section === 'B2' ? 'G2' : 'G1'
}

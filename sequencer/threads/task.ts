/** What a thread beside the house is asked, and what it answers. */
import type { Point, Signature } from '../../circuits/eddsa.ts'

/** Id of the message by which a thread says that it has loaded. */
export const READY = 0
export type Task =
  | {
      readonly kind: 'verify'
      readonly owner: Point
      readonly message: bigint
      readonly signature: Signature
    }
  | { readonly kind: 'receipt'; readonly text: string }
export type Asked = { readonly id: number; readonly task: Task }
export type Done = { readonly id: number; readonly answer: boolean | string | null }

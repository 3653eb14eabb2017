/** What a process beside the house is asked, and what it answers. */
import type { Point, Signature } from '../../circuits/eddsa.ts'

export type Task =
  | {
      readonly kind: 'verify'
      readonly owner: Point
      readonly message: bigint
      readonly signature: Signature
    }
  | { readonly kind: 'receipt'; readonly text: string }
/** The first message: never an argument or a variable, which others of the machine could read. */
export type Start = { readonly operatorKey: string | null }
export type Asked = { readonly id: number; readonly task: Task }
/** With 0 as id it says that it has loaded. */
export type Done = { readonly id: number; readonly answer: boolean | string | null }
export const READY = 0

/** The work of one thread beside the house: whether signatures match, and receipts. */
import { parentPort, workerData } from 'node:worker_threads'
import { verify } from '../../circuits/eddsa.ts'
import { receiptSignerOf } from '../l1/ethers.ts'
import { READY, type Asked, type Done, type Task } from './task.ts'

const { operatorKey } = workerData as { readonly operatorKey: string | null }
const signReceipt = operatorKey === null ? null : receiptSignerOf(operatorKey)

function answerTo(task: Task): boolean | string | null {
  if (task.kind === 'verify') return verify(task.owner, task.message, task.signature)
  return signReceipt === null ? null : signReceipt(task.text)
}

parentPort?.on('message', ({ id, task }: Asked) => {
  let answer: Done['answer'] = null
  try {
    answer = answerTo(task)
  } catch {
    // The house does it itself then, and has the error where it belongs.
  }
  parentPort?.postMessage({ id, answer } satisfies Done)
})
parentPort?.postMessage({ id: READY, answer: null } satisfies Done)

/** The work of one process beside the house: whether signatures match, and receipts. */
import { verify } from '../../circuits/eddsa.ts'
import { receiptSignerOf } from '../l1/ethers.ts'
import { READY, type Asked, type Done, type Start, type Task } from './task.ts'

let signReceipt: ((text: string) => string) | null = null

function answerTo(task: Task): Done['answer'] {
  if (task.kind === 'verify') return verify(task.owner, task.message, task.signature)
  return signReceipt === null ? null : signReceipt(task.text)
}

const say = (done: Done): void => void process.send?.(done)

process.on('message', (message: Start | Asked) => {
  if ('operatorKey' in message) {
    if (message.operatorKey !== null) signReceipt = receiptSignerOf(message.operatorKey)
    return say({ id: READY, answer: null })
  }
  const { id, task } = message
  let answer: Done['answer'] = null
  try {
    answer = answerTo(task)
  } catch {
    // The house does it itself then, and has the error where it belongs.
  }
  say({ id, answer })
})
// It ends with the house, however that ends; what is said to a terminal is said to the house.
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

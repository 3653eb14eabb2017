/** What another worker adds, and what keeping keys and threads adds: proofs of one circuit in one run. */
import { availableParallelism } from 'node:os'
import type { BackendName } from '../../prover/backends.ts'
import { prepareChain } from '../../prover/doctor.ts'
import { createProverPool } from '../../prover/pool.ts'
import { tableText } from './table.ts'

export type ProverFigure = {
  readonly backend: BackendName
  readonly workers: number
  readonly threads: number
  readonly proofs: number
  readonly seconds: number
}

const PROOFS = 6

/** Workers have loaded their key before the clock starts, as workers that run have. */
export async function proverFigures(
  progress: (line: string) => void,
): Promise<readonly ProverFigure[]> {
  const circuit = await prepareChain(progress)
  const cores = availableParallelism()
  const figures: ProverFigure[] = []
  for (const backend of ['snarkjs', 'engine'] as const)
    for (const [workers, threads] of [
      [1, 1],
      [cores, 1],
      [1, cores],
    ] as const) {
      progress(`${PROOFS} proofs by ${workers} workers of ${threads} threads with ${backend}`)
      const pool = createProverPool(workers)
      const prove = () =>
        pool.prove({ ...circuit, backend, singleThread: threads === 1, input: { start: 3n } })
      await Promise.all(Array.from({ length: workers }, prove))
      const started = performance.now()
      await Promise.all(Array.from({ length: PROOFS }, prove))
      figures.push({
        backend,
        workers,
        threads,
        proofs: PROOFS,
        seconds: (performance.now() - started) / 1000,
      })
      pool.close()
    }
  return figures
}

export function proversReport(figures: readonly ProverFigure[]): string {
  const [base] = figures
  const rate = ({ proofs, seconds }: ProverFigure): number => proofs / seconds
  return tableText(
    ['backend', 'workers', 'threads each', 'proofs a minute', 'to the first line'],
    figures.map((f) => [
      f.backend,
      String(f.workers),
      String(f.threads),
      (60 * rate(f)).toFixed(1),
      (rate(f) / (base === undefined ? 1 : rate(base))).toFixed(2),
    ]),
  )
}

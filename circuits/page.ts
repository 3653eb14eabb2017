import { hash } from './poseidon.ts'
export function paddingHead(): bigint { return hash('PAGE', Array<bigint>(12).fill(0n)) }

declare module 'circomlibjs' {
  type Poseidon = {
    (words: bigint[], capacity: bigint, outputs: number): Uint8Array | Uint8Array[]
    F: { toObject(element: Uint8Array): bigint }
  }
  export function buildPoseidon(): Promise<Poseidon>
  export function buildEddsa(): Promise<{
    prv2pub(key: Uint8Array): [Uint8Array, Uint8Array]
    signPoseidon(key: Uint8Array, message: Uint8Array): { R8: [Uint8Array, Uint8Array]; S: bigint }
    verifyPoseidon(
      message: Uint8Array,
      signature: { R8: [Uint8Array, Uint8Array]; S: bigint },
      key: [Uint8Array, Uint8Array],
    ): boolean
    F: { toObject(element: Uint8Array): bigint; e(value: bigint): Uint8Array }
  }>
}

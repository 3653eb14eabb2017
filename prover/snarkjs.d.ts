// The part of snarkjs 0.7.6 that groth16.ts and ceremony/phase2.ts use, and ffjavascript's global that it leaves behind.

declare module 'snarkjs' {
  export type Groth16Proof = {
    readonly pi_a: readonly string[]
    readonly pi_b: readonly (readonly string[])[]
    readonly pi_c: readonly string[]
    readonly protocol: string
    readonly curve: string
  }
  export type MemoryFile = { readonly type: 'mem'; data?: Uint8Array }
  export type Logger = Readonly<
    Record<'error' | 'warn' | 'info' | 'debug', (message: string) => void>
  >
  export type ProverOptions = { readonly singleThread?: boolean }

  export const groth16: {
    prove: (
      zkey: string,
      witness: MemoryFile,
      logger?: undefined,
      options?: ProverOptions,
    ) => Promise<{ proof: Groth16Proof; publicSignals: string[] }>
    verify: (
      verificationKey: unknown,
      publicSignals: readonly string[],
      proof: Groth16Proof,
    ) => Promise<boolean>
  }
  export const wtns: {
    calculate: (
      input: unknown,
      wasm: string,
      witness: MemoryFile,
      options?: object,
    ) => Promise<void>
  }
  export const zKey: {
    exportVerificationKey: (zkey: string) => Promise<unknown>
    exportSolidityVerifier: (zkey: string, templates: { groth16: string }) => Promise<string>
    /** The circuit hash, or -1 where the circuit does not fit; the reason goes to the logger. */
    newZKey: (r1cs: string, ptau: string, zkey: string, logger?: Logger) => Promise<unknown>
    contribute: (from: string, to: string, name: string, entropy: string) => Promise<Uint8Array>
    /** False where it refuses its parameters. */
    beacon: (
      from: string,
      to: string,
      name: string,
      value: string,
      iterationsLog2: number,
    ) => Promise<Uint8Array | false>
    verifyFromInit: (init: string, ptau: string, zkey: string, logger?: Logger) => Promise<boolean>
  }
}

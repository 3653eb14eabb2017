/** The oracle's one door to ethers: what signs, hashes, encodes and speaks to L1. */
export {
  AbiCoder,
  computeAddress,
  Contract,
  getAddress,
  getBytes,
  hexlify,
  isAddress,
  Interface,
  JsonRpcProvider,
  keccak256,
  Network,
  NonceManager,
  recoverAddress,
  Signature,
  SigningKey,
  toUtf8Bytes,
  toUtf8String,
  TypedDataEncoder,
  Wallet,
  ZeroAddress,
} from 'ethers'
export type { AbstractProvider, LogDescription, Signer } from 'ethers'

/** The audit against a real contract with real proofs, and against an L1 that lies in one place. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openAccount, rebuild } from '../../client/l1/rebuild.ts'
import { connect, httpTransport, type Transport } from '../../client/l1/rpc.ts'
import { audit } from '../../client/audit/audit.ts'
import { committedFingerprints } from '../../prover/fingerprints.ts'
import { runAudit } from '../../client/audit/command.ts'
import { renderReport, reportJson } from '../../client/audit/report.ts'
import { ownerKeyHash } from '../../circuits/account.ts'
import { compileExits } from '../../sequencer/deploy-exits.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import { TestChain } from './chain.ts'
import type { Member } from '../law/house.ts'

let chain: TestChain
let a: Member
let b: Member
const TO = `0x${(0xabcdef).toString(16).padStart(40, '0')}`

beforeAll(async () => {
  chain = await TestChain.start()
  a = await chain.join()
  b = await chain.join()
  await chain.batch({
    credits: [await chain.deposit(a, 1_000_000_000n), await chain.deposit(b, 2_000_000_000n)],
  })
  chain.house.trade(a, b, [{ instrument: 1024, quantity: 5n, price: 50_100_000n }])
  await chain.batch()
  chain.house.withdraw(a, 1, 1_000_000n)
  await chain.batch()
  await chain.claim(3n, 1_000_000n, TO)
  await chain.deposit(b, 7n)
})
afterAll(() => chain.stop())

/** An L1 that answers one method differently; transactions that made a contract stay as they were. */
function lying(method: string, change: (text: string) => string): Transport {
  const honest = httpTransport(chain.url)
  return async (asked, params) => {
    const answer = await honest(asked, params)
    const isMaking = (answer as { to?: unknown } | null)?.to === null
    if (asked !== method || isMaking) return answer
    return JSON.parse(change(JSON.stringify(answer))) as unknown
  }
}
/** One digit of the code at an address is another; negative places count from the end. */
function otherCode(address: string, place: number): Transport {
  const honest = httpTransport(chain.url)
  return async (method, params) => {
    const answer = await honest(method, params)
    if (method !== 'eth_getCode' || BigInt((params as string[])[0] ?? 0) !== BigInt(address))
      return answer
    const code = answer as string
    const i = place < 0 ? code.length + place : place
    return code.slice(0, i) + (code[i] === '1' ? '2' : '1') + code.slice(i + 1)
  }
}
const statusOf = async (rpcUrl: string | Transport) => {
  const report = await audit({ rpcUrl, contract: chain.contract, build: false })
  return {
    exitCode: report.exitCode,
    failed: report.checks.filter((c) => c.status === 'failed').map((c) => c.name),
    unread: report.checks.filter((c) => c.status === 'unread').map((c) => c.name),
    proofs: report.proofs,
  }
}

describe('rebuild', () => {
  it('gives the state of the house, from which members open their accounts', async () => {
    const rebuilt = await rebuild(chain.url, chain.contract)
    expect(rebuilt.root).toBe(chain.house.tree.root)
    for (const member of [a, b]) {
      expect(
        openAccount(rebuilt, member.index, member.viewKey, [ownerKeyHash(member.key.publicKey)]),
      ).toEqual(chain.house.accounts.get(member.index))
    }
    expect(openAccount(rebuilt, 0, 777n)).toEqual(chain.house.accounts.get(0))
  })
  it('reads L1 as of an earlier block', async () => {
    const rebuilt = await rebuild(chain.url, chain.contract)
    const atBlock = rebuilt.batches[0]?.place.block ?? 0
    expect((await rebuild(chain.url, chain.contract, { atBlock })).batchNumber).toBe(1n)
  })
})

describe('audit', () => {
  it('holds, verifies every proof, and says that keys are for development', async () => {
    const report = await audit({ rpcUrl: chain.url, contract: chain.contract })
    expect(report.checks.filter((check) => check.status !== 'held')).toEqual([])
    expect(report.exitCode).toBe(0)
    expect(report.proofs).toEqual({
      batches: 3,
      verified: 3,
      unreadable: 0,
      withoutKey: 0,
      failed: 0,
    })
    expect(report.tokens[0]).toMatchObject({
      vault: 2_999_000_007n,
      owed: 0n,
      unconsumed: 7n,
      balances: 2_999_000_000n,
      held: 2_999_000_007n,
    })
    expect(renderReport(report)).toContain('ANYONE CAN FORGE A PROOF')
    expect(JSON.parse(reportJson(report))).toMatchObject({
      exitCode: 0,
      proofs: { verified: 3 },
      figures: { members: '2' },
    })
  })
  it('fails on a ciphertext, leaf or proof that differs in one digit', async () => {
    const flip = (text: string, at: number): string =>
      text.slice(0, at) + (text[at] === '1' ? '2' : '1') + text.slice(at + 1)
    // The last two slots of the batch are padding; before them lies a ciphertext of member a.
    const PADDING_DIGITS = 2 * 10 * 64
    const logs = await statusOf(
      lying('eth_getLogs', (text) => {
        const batch = [...text.matchAll(/"data":"(0x[0-9a-f]{2000,})"/g)].at(-1)
        if (batch === undefined) return text
        return flip(text, (batch?.index ?? 0) + (batch?.[0].length ?? 0) - 2 - PADDING_DIGITS)
      }),
    )
    expect(logs).toMatchObject({ exitCode: 1, failed: ['challenge of batch 3'] })
    const proof = await statusOf(
      lying('eth_getTransactionByHash', (text) =>
        text.replace(/("input":"0x[0-9a-f]*)[0-9a-f](")/, (_, head: string, tail: string) => {
          // The proof lies in the head of the calldata, after header, offsets and C: 11 words.
          const at = head.indexOf('0x') + 2 + 8 + 64 * 11 + 40
          return `${flip(head, at)}0${tail}`
        }),
      ),
    )
    expect(proof.exitCode).toBe(1)
    expect(proof.proofs.failed).toBe(3)
  })
  it('fails on a verifier with another key, and on a vault that is not covered', async () => {
    const rebuilt = await rebuild(chain.url, chain.contract)
    const at = [...rebuilt.shapes.values()][0]?.verifier ?? ''
    expect((await statusOf(otherCode(at, 900))).failed).toEqual(['verifier contract of shape mini'])
    // The numbers of the key all stand there still: it is the code around them that differs.
    expect((await statusOf(otherCode(at, 40))).failed).toEqual(['verifier contract of shape mini'])
    // A verifier without code answers nothing: that must not hide what was found besides.
    const honest = httpTransport(chain.url)
    const empty = await statusOf(async (method, params) => {
      const isVerifyProof = JSON.stringify(params).includes('"data":"0x11479fea')
      return isVerifyProof ? '0x' : honest(method, params)
    })
    expect(empty.unread).toContain('verifier of shape mini when asked')
    expect(empty.exitCode).toBe(2)
    const poor = lying('eth_call', (text) =>
      text === `"0x${2_999_000_007n.toString(16).padStart(64, '0')}"`
        ? `"0x${2_999_000_006n.toString(16).padStart(64, '0')}"`
        : text,
    )
    expect(await statusOf(poor)).toMatchObject({ exitCode: 1, failed: ['holding of token 1'] })
  })
  it('fails on a house, a half or a lock that runs other code, and names it', async () => {
    const l1 = await connect(chain.url, chain.contract)
    const at = async (view: string) => (await l1.view(view))[0] as string
    const cases = [
      [chain.contract, 'house'],
      [await at('extension'), 'its other half'],
      [await at('lock'), 'its lock'],
    ] as const
    for (const [address, name] of cases) {
      expect(await statusOf(otherCode(address, 2_000))).toMatchObject({
        exitCode: 1,
        failed: [name],
      })
      expect((await statusOf(otherCode(address, -200))).failed).toEqual([name])
    }
    const report = await audit({ rpcUrl: chain.url, contract: chain.contract, build: false })
    const detailOf = (name: string) => report.checks.find((check) => check.name === name)?.detail
    expect(detailOf('admin')).toContain('not sealed, which a local chain allows')
    expect(detailOf('roles')).toContain('OPERATOR 0x')
  })
  it('fails on a public chain whose house is not sealed', async () => {
    const honest = httpTransport(chain.url)
    const report = await statusOf(async (method, params) =>
      method === 'eth_chainId' ? '0x7' : honest(method, params),
    )
    expect(report.failed).toContain('admin')
    // Whoever has this key posts tables and final values without any quorum.
    expect(report.failed).toContain('its oracle')
  })
  it('fails on a development key that is not the committed one', async () => {
    const hash = committedFingerprints().shapes['mini']?.developmentKey?.keyHash ?? 'none'
    const other = await statusOf(
      lying('eth_getLogs', (text) => text.replaceAll(hash, 'ab'.repeat(32))),
    )
    expect(other.failed).toContain('fingerprint of shape mini')
    expect(other.exitCode).toBe(1)
  })
  it('reads proofs that a multisig forwards, and counts those it cannot read', async () => {
    const wrapped = await statusOf(
      lying('eth_getTransactionByHash', (text) =>
        text.replace('"input":"0x', `"input":"0x6a761202${'00'.repeat(77)}`),
      ),
    )
    expect(wrapped).toMatchObject({ exitCode: 0, proofs: { verified: 3 } })
    const hidden = await statusOf(
      lying('eth_getTransactionByHash', (text) =>
        text.replace(/"input":"0x[0-9a-f]*"/, '"input":"0x1234"'),
      ),
    )
    expect(hidden).toMatchObject({
      exitCode: 2,
      failed: [],
      proofs: { verified: 0, unreadable: 3 },
    })
  })
  it('verifies nothing without a key, and says so', async () => {
    const report = await audit({
      rpcUrl: chain.url,
      contract: chain.contract,
      keySource: async () => null,
    })
    expect(report).toMatchObject({ exitCode: 2, proofs: { withoutKey: 3 } })
    expect(renderReport(report)).toContain('NOT EVERYTHING COULD BE CHECKED')
  })
  it('reports what L1 shows even if the circuits do not compile here', async () => {
    const keySource = () => Promise.reject(new Error('no compiler\nand much more'))
    const report = await audit({ rpcUrl: chain.url, contract: chain.contract, keySource })
    expect(report).toMatchObject({ exitCode: 2, proofs: { withoutKey: 3 } })
    expect(report.checks.find((c) => c.status === 'unread')?.detail).toMatch(/no compiler$/)
  })
  it('ends with 2 where nothing can be read, in plain words', async () => {
    let text = ''
    const write = (line: string): void => {
      text += line
    }
    expect(
      await runAudit({ rpcUrl: 'http://127.0.0.1:9/secret-key', contract: chain.contract, write }),
    ).toBe(2)
    expect(text).toContain('127.0.0.1:9 could not be read: no connection')
    expect(text).not.toContain('secret-key')
    expect(await runAudit({ rpcUrl: chain.url, contract: TO, write, json: true })).toBe(2)
    expect(await runAudit({ rpcUrl: chain.url, contract: 'nonsense', write })).toBe(2)
    expect(await runAudit({ rpcUrl: 'ftp://x', contract: TO, write })).toBe(2)
  })
  // The last: what it adds to the house stays there.
  it('fails on a verifier of claims that is not of the circuit, and on one with another key', async () => {
    const [escape] = await compileExits(['escape'])
    if (escape === undefined) throw new Error('there is no escape')
    const { contract, key } = escape
    const names = async () => {
      const { failed, unread } = await statusOf(chain.url)
      return [...failed, ...unread]
    }
    await chain.addEscape(1n, 'escape', `0x${key.keyHash}`, contract)
    expect(await names()).toEqual([])
    const ofNothing = contractsOf()['TestDollar']
    if (ofNothing === undefined) throw new Error('there is no TestDollar')
    await chain.addEscape(2n, 'escape', `0x${key.keyHash}`, ofNothing)
    expect(await names()).toEqual(['verifier contract of shape escape'])
    await chain.addEscape(3n, 'escape', `0x${'11'.repeat(32)}`, contract)
    expect((await names()).sort()).toEqual([
      'fingerprint of shape escape',
      'key hash of shape escape',
      'verifier contract of shape escape',
    ])
    await chain.addEscape(4n, 'unheard-of', `0x${key.keyHash}`, contract)
    expect(await names()).toContain('key of shape unheard-of')
  })
})

// Compiles contracts/ and test/contracts/ with the compiler from npm: no download, no network.
const { readdirSync } = require('node:fs')
const { join } = require('node:path')
const { subtask } = require('hardhat/config')
const {
  TASK_COMPILE_SOLIDITY_CHECK_ERRORS,
  TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD,
  TASK_COMPILE_SOLIDITY_GET_SOURCE_PATHS,
} = require('hardhat/builtin-tasks/task-names')

const solc = require('solc')
const version = require('solc/package.json').version

subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async () => ({
  compilerPath: require.resolve('solc/soljson.js'),
  isSolcJs: true,
  version,
  longVersion: solc.version().replace('.Emscripten.clang', ''),
}))

const SOURCE_FOLDERS = ['contracts', 'test/contracts']

subtask(TASK_COMPILE_SOLIDITY_GET_SOURCE_PATHS, async () =>
  SOURCE_FOLDERS.flatMap((folder) =>
    readdirSync(join(__dirname, folder), { recursive: true })
      .filter((file) => file.endsWith('.sol'))
      .map((file) => join(__dirname, folder, file)),
  ),
)

// 2394 warns of transient storage; ours is OpenZeppelin's guard, cleared at the end of each call.
const EXPECTED_WARNINGS = ['2394']

subtask(TASK_COMPILE_SOLIDITY_CHECK_ERRORS, async ({ output, quiet }, _, runSuper) => {
  const errors = output.errors?.filter(({ errorCode }) => !EXPECTED_WARNINGS.includes(errorCode))
  return runSuper({ output: { ...output, errors }, quiet })
})

/** @type {import('hardhat/config').HardhatUserConfig} */
module.exports = {
  solidity: {
    version,
    settings: { optimizer: { enabled: true, runs: 1000 }, evmVersion: 'cancun' },
  },
  paths: {
    sources: 'contracts',
    cache: '.cache/hardhat/cache',
    artifacts: '.cache/hardhat/artifacts',
  },
  networks: {
    hardhat: {
      hardfork: 'prague',
      // Another id only for tests of what a public chain refuses.
      chainId: Number(process.env.CLOISTER_TEST_CHAIN_ID ?? 31337),
      // A day draws its own accounts (client/day/l1-accounts.ts); tests have Hardhat's.
      ...(process.env.CLOISTER_L1_PHRASE && {
        accounts: { mnemonic: process.env.CLOISTER_L1_PHRASE },
      }),
    },
  },
}

// The embedded L1 of `cloister up`: the chain alone, nothing is compiled by it.
/** @type {import('hardhat/config').HardhatUserConfig} */
module.exports = {
  solidity: '0.8.28',
  networks: {
    hardhat: {
      hardfork: 'prague',
      chainId: 31337,
      // The first block has the time at which the house was made: the same chain after every start.
      initialDate: process.env.CLOISTER_L1_START,
    },
  },
}

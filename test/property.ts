/** Properties that are tried on drawn values. */
import fc from 'fast-check'

// The same values in every run, so that none fails by chance; the long run draws others each time,
// and says the seed of what fails.
if (process.env['CLOISTER_LONG'] === undefined) fc.configureGlobal({ seed: 20_200_312 })

export { fc }

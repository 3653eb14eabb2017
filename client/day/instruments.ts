/** The day's instruments as a member knows them: names and ids of the registry, and which table each round trades on. */
export const INSTRUMENT_NAMES: Readonly<Record<string, number>> = {
  'TEST-USD': 1,
  'TEST-ETH': 2,
  'BTC-13MAR20': 1024,
  'BTC-27MAR20': 1025,
  'BTC-26JUN20': 1026,
  'ETH-27MAR20': 1027,
  'ETH-26JUN20': 1028,
  'BTC-13MAR20-7000-P': 1029,
  'BTC-27MAR20-5000-P': 1030,
  'BTC-27MAR20-6000-P': 1031,
  'BTC-27MAR20-7000-P': 1032,
  'BTC-27MAR20-6000-C': 1033,
  'BTC-27MAR20-8000-C': 1034,
  'ETH-27MAR20-120-P': 1035,
  'ETH-27MAR20-160-P': 1036,
  'ETH-27MAR20-160-C': 1037,
  'BTC-PERP': 1038,
}
/** Candle of the day whose close is the mark of rounds 1 to 4; the later ones trade on the last. */
export const ROUND_TABLES: readonly number[] = [0, 1, 2, 5]
/** What expires on the morning after, and is settled in the register. */
export const EXPIRING_OPTION = 1029
export const PERPETUAL = 1038

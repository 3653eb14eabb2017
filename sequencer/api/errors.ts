/** What the API answers when it does not do what was asked: a stable code, its status, a sentence. */

/** Codes of the edge. A refusal by the law carries the rule's own name as its code, with status 422. */
export const API_ERRORS = {
  RequestMustBeWellFormed: [400, 'the request must be well-formed HTTP'],
  BodyMustBeJson: [400, 'the body must be one JSON object in UTF-8'],
  NestingMustBeShallow: [400, 'the body must be nested at most 8 deep'],
  KeysMustDiffer: [400, 'an object must have each key once'],
  NumberMustBePlain: [
    400,
    'a JSON number must be 0 or up to ten digits without sign, fraction or exponent; larger and signed numbers are decimal strings',
  ],
  BodyMustMatchSchema: [400, 'the request must match its schema in /v1/openapi.json'],
  NumberMustBeInRange: [400, 'the number must be within its range'],
  SignatureMustBePresent: [
    401,
    'the request must carry x-cloister-session, -time, -nonce and -signature',
  ],
  SessionMustBeLive: [401, 'the session must be live: open one with POST /v1/sessions'],
  ClockMustAgree: [401, 'the clocks must agree within 30 seconds'],
  NonceMustBeNew: [401, 'the nonce must be new in its session'],
  RequestSignatureMustMatch: [401, 'the signature must match session, nonce, time, path and body'],
  OwnerSignatureMustMatch: [
    401,
    "the opening must be signed by the account's owner key, once a batch has registered it",
  ],
  InstanceMustBeCurrent: [401, 'the opening must name the instance of GET /v1/status'],
  RouteMustExist: [404, 'there is no such route'],
  TradeMustBeKnown: [404, 'the trade must be one of this account'],
  PageMustBeKnown: [404, 'the page must be one of this account'],
  HeadMustBeAdmitted: [404, 'the head must be one that was admitted for this account'],
  BatchMustBeKnown: [404, 'the batch must be one that L1 has accepted'],
  AccountMustBeRegistered: [404, 'a batch must have registered the account'],
  RequestMustArriveInTime: [408, 'the request must arrive in time'],
  ClientIdMustBeNew: [409, 'a client id must be new, or come with the same body as before'],
  SequenceMustExist: [409, 'the sequence number must not lie after the last event'],
  EventsMustBeKept: [410, 'the events must still be kept: read the state and go on from there'],
  BodyMustBeSmall: [413, 'the body must be smaller'],
  ContentTypeMustBeJson: [415, 'the content type must be application/json'],
  TradeMustBeAdmissible: [422, 'the trade must be admissible'],
  OpenTradesMustBeFew: [429, 'an account must have few open proposals: end some of them first'],
  CounterpartyMustHaveRoom: [429, 'this account takes no more proposals now: try again later'],
  PagesMustBeFew: [
    429,
    'few pages of an account must wait: send it again when a batch has settled some of them',
  ],
  RateMustBeKept: [429, 'the rate of requests must be kept: try again later'],
  QueueMustBeShort: [429, 'requests of one account must wait in a short queue: try again later'],
  FeedsMustBeFew: [429, 'an account, and an address, must have few open event feeds'],
  HeadersMustBeSmall: [431, 'the headers must be smaller'],
  HouseMustAnswer: [500, 'the house must answer; it could not: try again'],
  HouseMustBeReady: [503, 'the house must have a table of values: ask again later'],
  JournalMustBeWritable: [503, 'the house must record what it takes and cannot now: try again'],
} as const satisfies Readonly<Record<string, readonly [number, string]>>

export type ApiErrorCode = keyof typeof API_ERRORS
/** Of a law that refused. */
const LAW_STATUS = 422

/** `code` is stable; the detail is for people. */
export class ApiError extends Error {
  readonly code: string
  readonly status: number
  constructor(code: ApiErrorCode, detail?: string) {
    super(detail ?? API_ERRORS[code][1])
    this.code = code
    this.status = API_ERRORS[code][0]
  }
}

/** A refusal by a rule of the law, or by a word of the desk. */
export class Refused extends Error {
  readonly code: string
  readonly status: number
  constructor({ refused, detail }: { readonly refused: string; readonly detail: string }) {
    super(detail)
    this.code = refused
    this.status = refused in API_ERRORS ? API_ERRORS[refused as ApiErrorCode][0] : LAW_STATUS
  }
}

export function errorBody(code: string, detail: string) {
  return { error: { code, detail } }
}

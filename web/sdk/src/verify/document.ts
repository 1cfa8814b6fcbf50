import { Claims, isCount, require } from './claims.ts';
import type { Feature } from './feature.ts';

/** The claims of an entitlement document. Times in unix seconds. */
export interface Document {
  readonly jti: string;
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
  readonly refreshAfter: number;
  /**
   * By how many seconds this device's clock was ahead when it asked; negative: behind. At most a day, see {@link maxSkew}.
   */
  readonly skew: number;
  readonly rev: number;
  readonly state: DocumentState;
  readonly reason: string | null;
  readonly paidThrough: number | null;
  readonly ending: Ending | null;
  readonly plans: readonly string[];
  readonly features: Readonly<Record<string, Feature>>;
  readonly device: string;
  readonly jkt: string;
  readonly proof: string;
}

/** Why no payment is expected at the end of the paid time. */
export type Ending = (typeof endings)[number];

const endings = ['trial', 'granted', 'cancelled'] as const;

export type DocumentState = (typeof states)[number];

const states = ['none', 'active', 'grace', 'expired', 'revoked'] as const;

/** The largest clock correction that the server signs, in seconds. */
export const maxSkew = 86_400;

/** Reads a document. Throws `claims_invalid` if a claim is missing, has another type, or contradicts another one. */
export function readDocument(claims: Claims): Document {
  const [iat, nbf, exp] = [claims.time('iat'), claims.time('nbf'), claims.time('exp')];
  const refreshAfter = claims.time('refresh_after');
  require(nbf === iat, 'nbf');
  require(exp > iat, 'exp');
  require(refreshAfter >= iat && refreshAfter <= exp, 'refresh_after');
  // Without the claim there is no correction.
  const signed = claims.get('skew');
  const skew = signed === undefined ? 0 : signed;
  require(typeof skew === 'number' && Number.isInteger(skew) && Math.abs(skew) <= maxSkew, 'skew');

  const state = states.find((known) => known === claims.get('state'));
  require(state !== undefined, 'state');
  const reason = claims.get('reason');
  require(reason === null || typeof reason === 'string', 'reason');
  const paidThrough = claims.get('paid_through') === null ? null : claims.time('paid_through');
  const plans = claims.list('plans');
  require(plans.every((plan) => typeof plan === 'string'), 'plans');
  const features = readFeatures(claims.object('features'));
  require(state === 'active' || state === 'grace' || Object.keys(features).length === 0, 'features');
  const status = claims.object('status').object('status_list');
  status.integer('idx');
  status.text('uri');

  return {
    jti: claims.text('jti'),
    sub: claims.text('sub'),
    iat,
    exp,
    refreshAfter,
    skew,
    rev: claims.integer('rev'),
    state,
    reason,
    paidThrough,
    // For display only, so an unknown value is ignored.
    ending: endings.find((known) => known === claims.get('ending')) ?? null,
    plans: Object.freeze([...plans]),
    features,
    device: claims.text('device'),
    jkt: claims.object('cnf').text('jkt'),
    proof: claims.text('proof'),
  };
}

function readFeatures(claims: Claims): Readonly<Record<string, Feature>> {
  const features = claims.entries().map(([name, value]): [string, Feature] => {
    const limit = new Claims(value, 'features').get('limit');
    require(limit === undefined || isCount(limit), 'features');
    return [name, Object.freeze(limit === undefined ? {} : { limit })];
  });
  return Object.freeze(Object.fromEntries(features));
}

/** Reasons for changes that are given often. Each is one that a colleague understands without further words. */

export const usual = ['Asked by the customer', 'Correction of a mistake'] as const;
export const withdrawal = ['Refunded', 'Chargeback', 'Abuse', 'Asked by the customer'] as const;
export const reinstatement = ['Paid', 'Revoked by mistake', 'Goodwill'] as const;
export const access = ['Lost or stolen', 'Lost all passkeys', 'Asked by the customer'] as const;

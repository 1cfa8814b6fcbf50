import { t } from '@holdfast/kit/words.ts';

/** Reasons for changes that are given often. Each is one that a colleague understands without further words. */

export const usual = () => [t('Asked by the customer'), t('Correction of a mistake')];
export const withdrawal = () => [t('Refunded'), t('Chargeback'), t('Abuse'), t('Asked by the customer')];
export const reinstatement = () => [t('Paid'), t('Revoked by mistake'), t('Goodwill')];
export const access = () => [t('Lost or stolen'), t('Lost all passkeys'), t('Asked by the customer')];

import { isObject } from '../base/strict-json.ts';

/** The relying party id of a ceremony, from its request or creation options (WebAuthn L3 §5.5, §5.4). */
export function rpIdOf(ceremonyOptions: unknown): string | undefined {
  const options = isObject(ceremonyOptions) ? ceremonyOptions : {};
  const rpId = options.rpId ?? (isObject(options.rp) ? options.rp.id : undefined);
  return typeof rpId === 'string' ? rpId : undefined;
}

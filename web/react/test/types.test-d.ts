import { createElement as h } from 'react';
import { describe, expectTypeOf, it } from 'vitest';
import {
  Feature,
  type FeatureName,
  HoldfastProvider,
  type HoldfastValue,
  useFeature,
  useHoldfast,
} from '../src/index.ts';

declare module '../src/index.ts' {
  interface Register {
    feature: 'export' | 'notes';
  }
}

describe('the features that the app names', () => {
  it('are the only ones', () => {
    expectTypeOf<FeatureName>().toEqualTypeOf<'export' | 'notes'>();
    expectTypeOf(useFeature).parameters.toEqualTypeOf<['export' | 'notes']>();
    expectTypeOf(useHoldfast).returns.toEqualTypeOf<HoldfastValue>();
    expectTypeOf<HoldfastValue['hf']['has']>().parameters.toEqualTypeOf<['export' | 'notes']>();
    const app = () => [
      h(Feature, { name: 'export' }),
      // @ts-expect-error no such feature
      h(Feature, { name: 'exprot' }),
      // @ts-expect-error options or a client
      h(HoldfastProvider, {}),
    ];
    expectTypeOf(app).toBeFunction();
  });
});

import { expect, test, watch } from './support/test.ts';

test('the API reference explains every operation, and needs no other host', async ({ page, server }) => {
  const troubles = await watch(page.context(), page);
  await page.goto(`${server.ops}/docs/`);
  await expect(page.getByRole('heading', { name: 'Holdfast' })).toBeVisible();
  await page.getByRole('button', { name: /^POST.*\/v1\/reconcile/ }).click();
  await expect(page.getByText('lineage_invalid').first()).toBeVisible();
  expect(troubles()).toEqual([]);
});

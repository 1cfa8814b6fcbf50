import { expect, type Locator, type Page } from '@playwright/test';

/** Presses Tab until the element has focus, and then a key once the element is enabled. Uses only the keyboard. */
export async function press(page: Page, target: Locator, key = 'Enter'): Promise<void> {
  await expect(target).toBeEnabled();
  for (let presses = 0; presses < 60; presses++) {
    if (await target.evaluate((element) => element === document.activeElement)) {
      await expect(target).toBeEnabled();
      return page.keyboard.press(key);
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${target}`);
}

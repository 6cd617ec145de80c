// What axe finds on a page as it is shown.
import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import { still } from './browser.mjs';

/** What a theme changes: colours. In high contrast text has 7 : 1, elsewhere 4.5 : 1. */
const OF_COLOURS = { dark: ['color-contrast'], contrast: ['color-contrast', 'color-contrast-enhanced'] };

/**
 * It finds nothing. `part` is a selector, the whole page when not given. `look` names a theme: one that is not
 * light is judged by its colours alone, for the light one was judged by everything.
 */
export async function hasNoFinding(page, what, { part, look = 'light' } = {}) {
  await still(page);
  // No page has frames: without looking for them it takes half the time. What is right need not be gathered, either.
  const axe = new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ['violations'] });
  if (OF_COLOURS[look]) axe.withRules(OF_COLOURS[look]);
  if (part) axe.include(part);
  const { violations } = await axe.analyze();
  assert.deepEqual(
    violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).join(' ')}`),
    [],
    `axe finds nothing on ${what} (${look})`,
  );
}

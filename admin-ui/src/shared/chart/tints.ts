// Tints of areas: five steps of one hue, from what can be overlooked to what cannot, each with
// the text that can be read on it. Pure.
import type { Look } from './colours';

export interface Tint {
  fill: string;
  text: string;
}

const STEPS: Record<Look, readonly Tint[]> = {
  light: [
    { fill: '#dcebf8', text: '#14181d' },
    { fill: '#a9d0f0', text: '#14181d' },
    { fill: '#6cabdf', text: '#14181d' },
    { fill: '#1f67ab', text: '#ffffff' },
    { fill: '#08335f', text: '#ffffff' },
  ],
  dark: [
    { fill: '#1c2f42', text: '#e8ebee' },
    { fill: '#27506f', text: '#ffffff' },
    { fill: '#316f9d', text: '#ffffff' },
    { fill: '#6bb1e8', text: '#0f1216' },
    { fill: '#c2e3ff', text: '#0f1216' },
  ],
};

const UNKNOWN: Record<Look, Tint> = {
  light: { fill: '#e4e7ea', text: '#14181d' },
  dark: { fill: '#343b44', text: '#e8ebee' },
};

export function tintOf(step: number, look: Look): Tint {
  return STEPS[look][step] ?? UNKNOWN[look];
}

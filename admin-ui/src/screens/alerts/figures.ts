// Figures of alerts as people read them: those of the node have all their digits. Pure.

/** Numbers in a text with at most four digits that matter; the rest stays. */
export function figure(text: string): string {
  return text.replace(/-?\d+\.\d+(?:e[-+]?\d+)?|-?\d{6,}/gi, (number) => {
    const value = Number(number);
    if (!Number.isFinite(value)) return number;
    return new Intl.NumberFormat('en', { maximumSignificantDigits: 4, useGrouping: true }).format(value);
  });
}

/** What can be drawn of a value; nothing of a text or a missing one. */
export function numberOf(value: string): number | null {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  return Number.isFinite(number) ? number : null;
}

/** The number in `> 0.9`. */
export function limitOf(threshold: string): number | null {
  return numberOf(threshold.replace(/^[^\d.-]+/, ''));
}

// Which language, and words with figures in them. Pure.

export type Language = 'en' | 'ko';
export type Params = Record<string, string | number | bigint>;

export function languageOf(kept: string | null, preferred: readonly string[]): Language {
  if (kept === 'en' || kept === 'ko') return kept;
  for (const one of preferred) {
    if (one.startsWith('ko')) return 'ko';
    if (one.startsWith('en')) return 'en';
  }
  return 'en';
}

export function fill(text: string, params: Params | undefined): string {
  if (!params) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

/** The reader's own form of the language: dates differ between countries that share one. */
export function localeOf(language: Language, preferred: readonly string[]): string {
  return preferred.find((one) => one === language || one.startsWith(`${language}-`)) ?? language;
}

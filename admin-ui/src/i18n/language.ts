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

const figures = new Map<string, Intl.NumberFormat>();

function figure(value: number | bigint, locale: string): string {
  const format = figures.get(locale) ?? new Intl.NumberFormat(locale);
  figures.set(locale, format);
  return format.format(value);
}

/** Numbers are written as the locale has them; what is to be written otherwise is given as a text. */
export function fill(text: string, params: Params | undefined, locale: string): string {
  if (!params) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === 'string' ? value : figure(value, locale);
  });
}

/** The reader's own form of the language: dates differ between countries that share one. */
export function localeOf(language: Language, preferred: readonly string[]): string {
  return preferred.find((one) => one === language || one.startsWith(`${language}-`)) ?? language;
}

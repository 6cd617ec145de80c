// Words of the pages in the language that is chosen, else the browser's.
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { en } from './en';
import { ko } from './ko';

export type MessageKey = keyof typeof en;
export type Language = 'en' | 'ko';
export type Params = Record<string, string | number | bigint>;

const KEY = 'wharf.language';
export const catalogues: Record<Language, Record<MessageKey, string>> = { en, ko };

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

interface I18n {
  language: Language;
  setLanguage: (language: Language) => void;
  t: (key: MessageKey, params?: Params) => string;
}

const Context = createContext<I18n | null>(null);

export function I18nProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(() => languageOf(localStorage.getItem(KEY), navigator.languages));
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const value = useMemo<I18n>(
    () => ({
      language,
      setLanguage: (next) => {
        localStorage.setItem(KEY, next);
        setLanguage(next);
      },
      t: (key, params) => fill(catalogues[language][key], params),
    }),
    [language],
  );
  return <Context value={value}>{children}</Context>;
}

export function useI18n(): I18n {
  const value = useContext(Context);
  if (!value) throw new Error('words were asked for outside of the provider');
  return value;
}

export function useT(): I18n['t'] {
  return useI18n().t;
}

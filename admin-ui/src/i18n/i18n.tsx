// Words of the pages in the language that is chosen, else the browser's.
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { en } from './en';
import { ko } from './ko';
import { fill, type Language, languageOf, localeOf, type Params } from './language';

export type MessageKey = keyof typeof en;

const KEY = 'wharf.language';
export const catalogues: Record<Language, Record<MessageKey, string>> = { en, ko };

interface I18n {
  language: Language;
  locale: string;
  setLanguage: (language: Language) => void;
  t: (key: MessageKey, params?: Params) => string;
}

const Context = createContext<I18n | null>(null);

export function I18nProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(() => languageOf(localStorage.getItem(KEY), navigator.languages));
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const value = useMemo<I18n>(() => {
    const locale = localeOf(language, navigator.languages);
    return {
      language,
      locale,
      setLanguage: (next) => {
        localStorage.setItem(KEY, next);
        setLanguage(next);
      },
      t: (key, params) => fill(catalogues[language][key], params, locale),
    };
  }, [language]);
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

// What the choice of a theme and the wishes of the system come to. Pure.

export const THEMES = ['system', 'light', 'dark', 'contrast'] as const;
/** `system`: as the system says; `contrast`: as it says, in high contrast. */
export type Theme = (typeof THEMES)[number];

/** What the system wishes. */
export interface Wishes {
  dark: boolean;
  /** More contrast. */
  more: boolean;
  /** It has colours of its own for every page. */
  forced: boolean;
}

export function themeOf(kept: string | null): Theme {
  return THEMES.find((one) => one === kept) ?? 'system';
}

/** Charts are drawn with our colours on those that the system forces: the nearest of ours are taken. */
export function lookOf(theme: Theme, wishes: Wishes): { dark: boolean; contrast: boolean } {
  const chosen = theme === 'light' || theme === 'dark';
  return {
    dark: chosen && !wishes.forced ? theme === 'dark' : wishes.dark,
    contrast: theme === 'contrast' || wishes.more || wishes.forced,
  };
}

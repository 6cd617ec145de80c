// What the themes are called.
import type { MessageKey } from '../../i18n/i18n';
import type { Theme } from '../../theme/look';

export const THEME_WORDS: Record<Theme, MessageKey> = {
  system: 'theme.system',
  light: 'theme.light',
  dark: 'theme.dark',
  contrast: 'theme.contrast',
};

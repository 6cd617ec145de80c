// The theme's colours as a canvas needs them: by value.

export interface Tokens {
  text: string;
  quiet: string;
  hairline: string;
  surface: string;
  raised: string;
  track: string;
  good: string;
  warn: string;
  bad: string;
  bar: string;
}

export function tokensNow(): Tokens {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: of('--text'),
    quiet: of('--text-quiet'),
    hairline: of('--hairline'),
    surface: of('--surface'),
    raised: of('--surface-raised'),
    track: of('--bar-track'),
    good: of('--good'),
    warn: of('--warn'),
    bad: of('--bad'),
    bar: of('--bar'),
  };
}

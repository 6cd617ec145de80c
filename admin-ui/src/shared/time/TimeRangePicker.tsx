// Chooses the span of time of a page, how often it is renewed, and what it is compared with.
import { Button, FormGroup, FormSelect, FormSelectOption, Popover, TextInput } from '@patternfly/react-core';
import LeftIcon from '@patternfly/react-icons/dist/esm/icons/angle-left-icon';
import RightIcon from '@patternfly/react-icons/dist/esm/icons/angle-right-icon';
import ClockIcon from '@patternfly/react-icons/dist/esm/icons/clock-icon';
import WiderIcon from '@patternfly/react-icons/dist/esm/icons/search-minus-icon';
import RenewIcon from '@patternfly/react-icons/dist/esm/icons/sync-alt-icon';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { asksMonitor } from '../../api/monitor';
import { clock, duration } from '../../format/format';
import { useI18n } from '../../i18n/i18n';
import { renewNow } from './clock';
import { COMPARES, instantOf, isoOf, PRESETS, REFRESHES, SHORTEST_MS } from './range';
import './time.css';
import { type TimeDefaults, type TimeRange, useTimeRange } from './useTimeRange';

interface TimeRangePickerProps {
  /** The same as the page's own. */
  defaults?: TimeDefaults;
  /** There is nothing on the page that compares. */
  noCompare?: boolean;
  noRefresh?: boolean;
}

const COMPARE_WORDS = {
  period: 'time.compare.period',
  day: 'time.compare.day',
  week: 'time.compare.week',
} as const;

/** Until it is asked again whether searches are answered. */
const LATE_MS = 500;

function useRenewal(range: TimeRange): void {
  const { refreshMs } = range;
  const queries = useQueryClient();
  useEffect(() => {
    if (refreshMs === 0) return;
    let timer: ReturnType<typeof setTimeout>;
    const renew = () => {
      // A renewal gives up what is being asked: where answers take longer than it, none would ever be seen.
      const asks = queries.isFetching({ predicate: asksMonitor }) > 0;
      if (!document.hidden && !asks) renewNow();
      timer = setTimeout(renew, asks ? LATE_MS : refreshMs);
    };
    timer = setTimeout(renew, refreshMs);
    return () => clearTimeout(timer);
  }, [refreshMs, queries]);
}

function Choose({ range, close }: { range: TimeRange; close: () => void }) {
  const { t } = useI18n();
  const [from, setFrom] = useState(range.raw.from);
  const [to, setTo] = useState(range.raw.to);
  const [wrong, setWrong] = useState(false);
  const apply = (event: FormEvent) => {
    event.preventDefault();
    const now = Date.now();
    const [start, end] = [instantOf(from, now), instantOf(to, now)];
    if (start === undefined || end === undefined || end - start < SHORTEST_MS) return setWrong(true);
    range.set({ from: from.trim(), to: to.trim() });
    close();
  };
  const copy = () => {
    const url = new URL(window.location.href);
    url.searchParams.set('from', isoOf(range.from));
    url.searchParams.set('to', isoOf(range.to));
    void navigator.clipboard.writeText(url.href).then(close);
  };
  return (
    <div className="time-choose">
      <ul>
        {PRESETS.map((one) => (
          <li key={one.key}>
            <Button
              variant="link"
              size="sm"
              aria-pressed={one.from === range.raw.from && one.to === range.raw.to}
              onClick={() => {
                range.set({ from: one.from, to: one.to });
                close();
              }}
            >
              {t(one.key)}
            </Button>
          </li>
        ))}
      </ul>
      <form className="stack" onSubmit={apply} aria-label={t('time.absolute')}>
        <FormGroup label={t('time.from')} fieldId="time-from">
          <TextInput
            id="time-from"
            value={from}
            validated={wrong ? 'error' : 'default'}
            onChange={(_, value) => setFrom(value)}
          />
        </FormGroup>
        <FormGroup label={t('time.to')} fieldId="time-to">
          <TextInput
            id="time-to"
            value={to}
            validated={wrong ? 'error' : 'default'}
            onChange={(_, value) => setTo(value)}
          />
        </FormGroup>
        <span className={wrong ? 'bad-text' : 'quiet'} role={wrong ? 'alert' : undefined}>
          {wrong ? t('time.unreadable') : t('time.absolute.hint')}
        </span>
        <Button type="submit" variant="secondary" size="sm">
          {t('time.apply')}
        </Button>
        <Button variant="link" size="sm" isInline onClick={copy}>
          {t('time.copyLink')}
        </Button>
      </form>
    </div>
  );
}

export function TimeRangePicker({ defaults = {}, noCompare, noRefresh }: TimeRangePickerProps) {
  const { t, locale } = useI18n();
  const range = useTimeRange(defaults);
  const [open, setOpen] = useState(false);
  useRenewal(range);
  const preset = PRESETS.find((one) => one.from === range.raw.from && one.to === range.raw.to);
  const now = new Date();
  const name = preset
    ? t(preset.key)
    : `${clock(new Date(range.from), locale, now)} – ${clock(new Date(range.to), locale, now)}`;
  const seconds = range.refreshMs / 1_000;
  const steps: number[] = REFRESHES.some((one) => one === seconds) ? [...REFRESHES] : [...REFRESHES, seconds];
  const icon = (label: string, what: ReactNode, press: () => void) => (
    <Button variant="plain" size="sm" aria-label={label} title={label} icon={what} onClick={press} />
  );
  return (
    <fieldset className="time-range" aria-label={t('time.range')}>
      {icon(t('time.earlier'), <LeftIcon />, () => range.move(-1))}
      <Popover
        isVisible={open}
        shouldOpen={() => setOpen(true)}
        shouldClose={() => setOpen(false)}
        showClose={false}
        hasAutoWidth
        position="bottom-end"
        aria-label={t('time.range')}
        bodyContent={
          <Choose key={`${range.raw.from} ${range.raw.to}`} range={range} close={() => setOpen(false)} />
        }
      >
        <Button variant="control" size="sm" icon={<ClockIcon />} aria-haspopup="dialog" aria-expanded={open}>
          {name}
        </Button>
      </Popover>
      {icon(t('time.later'), <RightIcon />, () => range.move(1))}
      {icon(t('time.back'), <WiderIcon />, range.back)}
      {noCompare ? null : (
        <FormSelect
          aria-label={t('time.compare')}
          value={range.compare ?? ''}
          onChange={(_, value) => range.set({ compare: COMPARES.find((one) => one === value) ?? 'none' })}
        >
          <FormSelectOption value="" label={`${t('time.compare')}: ${t('time.compare.none')}`} />
          {COMPARES.map((one) => (
            <FormSelectOption
              key={one}
              value={one}
              label={`${t('time.compare')}: ${t(COMPARE_WORDS[one])}`}
            />
          ))}
        </FormSelect>
      )}
      {icon(t('time.refresh.now'), <RenewIcon />, range.renew)}
      {noRefresh ? null : (
        <FormSelect
          aria-label={t('time.refresh')}
          value={String(seconds)}
          onChange={(_, value) => range.set({ refresh: Number(value) })}
        >
          {steps.map((one) => (
            <FormSelectOption
              key={one}
              value={String(one)}
              label={`${t('time.refresh')}: ${one === 0 ? t('time.refresh.never') : t('time.refresh.every', { span: duration(one * 1_000, locale) })}`}
            />
          ))}
        </FormSelect>
      )}
    </fieldset>
  );
}

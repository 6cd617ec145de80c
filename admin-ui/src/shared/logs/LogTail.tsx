// The last lines of a log, and those that come while they are followed. Whoever scrolls up reads on
// undisturbed: lines gather below and a chip leads back to the newest.
import { Button, FormSelect, FormSelectOption, SearchInput, Switch } from '@patternfly/react-core';
import {
  type CSSProperties,
  memo,
  useDeferredValue,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { Link, useNavigate } from 'react-router';
import { type JsonObject, SYSTEM } from '../../api/monitor';
import { clock } from '../../format/format';
import { useFormat } from '../../format/use-format';
import { useI18n } from '../../i18n/i18n';
import { DataNone, PartialNote } from '../DataNone';
import { DataState } from '../DataState';
import { Refused } from '../Refused';
import type { Span } from '../search/build';
import { discoverLink } from '../search/discover-link';
import { isoOf, type RawRange } from '../time/range';
import { useSearchParams } from '../use-search-params';
import { asText, isNarrowed, type Line, levelOf, severityOf, widthOf } from './lines';
import './logs.css';
import { quietFor } from './tail';
import { useTail } from './use-tail';

interface LogTailProps {
  /** Of what the lines are. */
  label: string;
  deployment?: string;
  indices: readonly string[];
  /** What the lines are, but for the time. */
  filter: readonly JsonObject[];
  /** Only those of a span that has ended; none: the newest there are. */
  range?: Span;
  /** The same as the words of a query, for the way to Discover. */
  query: string;
  /** The span that Discover is to show; none: its usual one. */
  span?: RawRange;
  follow: boolean;
  onFollow: (follow: boolean) => void;
  /** What is told of each line beside its time and level. */
  columns?: readonly ('host' | 'container')[];
}

const WRAP = 'wharf.logs.wrap';
const NO_LINES: Line[] = [];
/** Letters of a name; of longer ones the end is not seen. */
const MOST_WIDE = 40;
/** So near to the end, in pixels, is at the end. */
const NEAR = 24;

interface RowProps {
  line: Line;
  withHost: boolean;
  withContainer: boolean;
  locale: string;
}

// Lines do not change: of two thousand only the new ones are drawn.
const Row = memo(({ line, withHost, withContainer, locale }: RowProps) => {
  const at = new Date(line.at);
  const severity = severityOf(line.level);
  return (
    <div className={`log-line ${severity}`} data-line={line.id}>
      <time dateTime={at.toISOString()} title={at.toISOString()}>
        {clock(at, locale, new Date())}
        <span className="ms">.{String(at.getMilliseconds()).padStart(3, '0')}</span>
      </time>
      <span className="level">{line.level}</span>
      {withHost ? (
        <span className="who host" title={line.host}>
          {line.host}
        </span>
      ) : null}
      {withContainer ? (
        <span className="who container" title={line.container}>
          {line.container}
        </span>
      ) : null}
      <span className="message">
        {line.logger ? <span className="quiet">{line.logger} </span> : null}
        {line.message}
      </span>
    </div>
  );
});

export function LogTail(props: LogTailProps) {
  const { t, locale } = useI18n();
  const format = useFormat();
  const navigate = useNavigate();
  const id = useId();
  const { deployment = SYSTEM, columns = [], follow, onFollow } = props;
  const [params, setParams] = useSearchParams();
  const atLeast = levelOf(params.get('level'));
  const [text, setTextHere] = useState(params.get('text') ?? '');
  /** A link shows the same lines. */
  const keep = (name: 'level' | 'text', value: string) =>
    setParams(
      (now) => {
        const next = new URLSearchParams(now);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  const setText = (value: string) => {
    setTextHere(value);
    keep('text', value);
  };
  const wantedText = useDeferredValue(text);
  const [wrap, setWrap] = useState(() => localStorage.getItem(WRAP) !== 'off');
  const [atEnd, setAtEnd] = useState(true);
  const [seen, setSeen] = useState('');
  const box = useRef<HTMLDivElement>(null);
  const height = useRef(0);
  const wanted = {
    filter: props.filter,
    ...(props.range ? { range: props.range } : {}),
    atLeast,
    text: wantedText,
  };
  const {
    first: query,
    tail,
    earlier,
  } = useTail({ deployment, indices: props.indices, ...wanted }, follow, !atEnd);
  const lines = tail?.lines ?? NO_LINES;
  const retry = () => void query.refetch();
  const first = lines[0]?.id;
  const last = lines.at(-1)?.id ?? '';

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    if (atEnd) element.scrollTop = element.scrollHeight;
    height.current = element.scrollHeight;
    if (atEnd) setSeen(last);
  }, [last, atEnd]);

  // Older lines come in above: what was being read stays where it is.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is to happen when the first line is another one
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || atEnd) return;
    element.scrollTop += element.scrollHeight - height.current;
    height.current = element.scrollHeight;
  }, [first]);

  useEffect(() => localStorage.setItem(WRAP, wrap ? 'on' : 'off'), [wrap]);

  const look = () => {
    const element = box.current;
    if (!element) return;
    setAtEnd(element.scrollHeight - element.scrollTop - element.clientHeight < NEAR);
  };
  const fresh = atEnd ? 0 : lines.length - 1 - lines.findIndex((line) => line.id === seen);
  const filtered = isNarrowed(wanted);
  const quiet = tail ? quietFor(tail, wanted) : undefined;
  const where = { ...(deployment === SYSTEM ? {} : { deployment }), indices: props.indices, q: props.query };
  const showAll = () => {
    setTextHere('');
    setParams(
      (now) => {
        const next = new URLSearchParams(now);
        next.delete('level');
        next.delete('text');
        return next;
      },
      { replace: true },
    );
  };

  return (
    <div className="log-tail" aria-busy={!tail && query.isFetching}>
      <div className="list-tools">
        <Switch
          id={`${id}-follow`}
          label={t('logs.follow')}
          isChecked={follow}
          onChange={(_, next) => onFollow(next)}
        />
        <FormSelect
          aria-label={t('logs.level')}
          value={atLeast}
          onChange={(_, value) => keep('level', value)}
        >
          <FormSelectOption value="" label={t('logs.level.all')} />
          <FormSelectOption value="warn" label={t('logs.warn')} />
          <FormSelectOption value="error" label={t('logs.error')} />
        </FormSelect>
        <SearchInput
          aria-label={t('logs.find')}
          placeholder={t('logs.find')}
          value={text}
          onChange={(_, value) => setText(value)}
          onClear={() => setText('')}
        />
        <Switch
          id={`${id}-wrap`}
          label={t('logs.wrap')}
          isChecked={wrap}
          onChange={(_, next) => setWrap(next)}
        />
        <span className="spacer" />
        {tail ? (
          <span className="quiet total">
            {t('logs.lines', { count: format.number(lines.length) })} ·{' '}
            {t('logs.asOf', { at: clock(new Date(tail.asOf), locale, new Date()) })}
            {quiet === undefined ? null : ` · ${t('logs.quiet', { span: format.age(quiet) })}`}
          </span>
        ) : null}
        <Button
          variant="link"
          size="sm"
          isInline
          onClick={() => void navigator.clipboard.writeText(asText(lines))}
        >
          {t('logs.copy')}
        </Button>
        <Link to={discoverLink({ ...where, ...(follow ? {} : props.span), follow })}>
          {t('logs.discover')}
        </Link>
      </div>
      <DataState query={query} lines={12} failed={t('logs.failed')}>
        {() => null}
      </DataState>
      {tail?.error ? <Refused error={tail.error} title={t('logs.failed')} retry={retry} /> : null}
      {tail?.partial ? <PartialNote partial={tail.partial} retry={retry} /> : null}
      {tail?.skipped ? <p className="quiet note">{t('logs.skipped')}</p> : null}
      {tail && lines.length === 0 ? (
        <DataNone
          deployment={deployment}
          indices={[...props.indices]}
          filter={props.filter}
          title={filtered ? t('logs.empty.filtered') : t('logs.empty')}
          {...(filtered ? { lastSeen: 'logs.lastLine' } : {})}
          onShow={(from, to) => void navigate(discoverLink({ ...where, from: isoOf(from), to: isoOf(to) }))}
        >
          {filtered ? (
            <Button variant="link" isInline onClick={showAll}>
              {t('logs.empty.show')}
            </Button>
          ) : null}
          {follow ? <div>{t('logs.empty.follow')}</div> : null}
        </DataNone>
      ) : null}
      <div className="log-frame" hidden={lines.length === 0}>
        {/* Lines come faster than they could be read out. */}
        <div
          ref={box}
          className={wrap ? 'log-lines wrapped' : 'log-lines'}
          role="log"
          aria-live="off"
          aria-label={props.label}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
          tabIndex={0}
          onScroll={look}
          style={
            {
              '--log-host': `${widthOf(lines, 'host', MOST_WIDE)}ch`,
              '--log-container': `${widthOf(lines, 'container', MOST_WIDE)}ch`,
            } as CSSProperties
          }
        >
          {tail?.more ? (
            <div className="log-earlier">
              <Button variant="link" size="sm" onClick={earlier}>
                {t('logs.earlier')}
              </Button>
            </div>
          ) : null}
          {lines.map((line) => (
            <Row
              key={line.id}
              line={line}
              withHost={columns.includes('host')}
              withContainer={columns.includes('container')}
              locale={locale}
            />
          ))}
        </div>
        {fresh > 0 ? (
          <Button
            className="log-fresh"
            size="sm"
            variant="primary"
            onClick={() => {
              const element = box.current;
              if (element) element.scrollTop = element.scrollHeight;
            }}
          >
            {t('logs.fresh', { count: format.number(fresh) })}
          </Button>
        ) : null}
      </div>
      <span className="sr-only" role="status">
        {follow ? t('logs.following') : ''}
      </span>
    </div>
  );
}

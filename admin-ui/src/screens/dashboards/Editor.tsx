// What a panel shows, with the panel itself beside it while it is being made.
import {
  Button,
  Checkbox,
  ExpandableSection,
  FormGroup,
  FormSelect,
  FormSelectOption,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  TextArea,
  TextInput,
} from '@patternfly/react-core';
import CloseIcon from '@patternfly/react-icons/dist/esm/icons/times-icon';
import { type ReactNode, useDeferredValue, useEffect, useState } from 'react';
import { useSearch } from '../../api/monitor';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import type { Unit } from '../../shared/chart/types';
import { Refused } from '../../shared/Refused';
import { all, bucketsOf, exists, rangeOf, terms } from '../../shared/search/build';
import {
  type Fault,
  KINDS,
  type Kind,
  type Metric,
  OFS,
  type Of,
  type Panel,
  SIZED,
  type Sized,
  UNITS,
  ZONE_FIELD,
} from './document';
import { FieldInput, FieldsInput, StreamsInput, useFields } from './FieldInput';
import { guess } from './guess';
import { Faults } from './NewDashboard';
import { KIND_WORDS, OF_WORDS, SIZED_WORDS, UNIT_WORDS } from './names';
import { useOwnText } from './own-text';
import { PanelBox } from './PanelBox';
import type { PanelWhere } from './use-panel';

/** Where a field is looked for before it is known which stream has it. */
const ANYWHERE = ['metrics-*', 'logs-*'];
const DAY_MS = 86_400_000;
const MOST_METRICS = 4;
const PREVIEW = 300;

interface EditorProps {
  panel: Panel;
  isNew: boolean;
  where: PanelWhere;
  /** The word of the button that takes it over. */
  action: string;
  busy: boolean;
  error: unknown;
  /** Why the dashboard could not be read again with it. */
  faults: readonly Fault[];
  onSave: (panel: Panel) => void;
  /** Beside the buttons, of the panel as it is now. */
  extra?: (panel: Panel) => ReactNode;
  onClose: () => void;
}

export function newPanel(): Panel {
  return {
    id: '',
    kind: 'line',
    title: '',
    at: { x: 0, y: 0, w: 6, h: 6 },
    index: ANYWHERE,
    metrics: [{ of: 'avg', field: '' }],
  };
}

function isAnywhere(panel: Panel): boolean {
  return panel.index?.join() === ANYWHERE.join();
}

/** Without what is empty: a document says nothing about what it does not need. */
export function tidied(panel: Panel): Panel {
  const kept = Object.entries(panel).filter(
    ([name, value]) =>
      name === 'title' ||
      (value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)),
  );
  const tidy = Object.fromEntries(kept) as unknown as Panel;
  if (tidy.kind !== 'markdown') return tidy;
  const { id, kind, title, titles, at, text } = tidy;
  return { id, kind, title, at, ...(titles ? { titles } : {}), text: text ?? '' };
}

function without<T extends object, K extends keyof T>(value: T, ...names: K[]): T {
  const rest = { ...value };
  for (const name of names) delete rest[name];
  return rest;
}

interface NumberInputProps {
  id: string;
  label: string;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
}

function NumberInput({ id, label, value, onChange }: NumberInputProps) {
  const [text, setText] = useState(value === undefined ? '' : String(value));
  return (
    <FormGroup label={label} fieldId={id}>
      <TextInput
        id={id}
        inputMode="decimal"
        value={text}
        validated={text.trim() !== '' && !Number.isFinite(Number(text)) ? 'error' : 'default'}
        onChange={(_, next) => {
          setText(next);
          const number = Number(next);
          onChange(next.trim() === '' || !Number.isFinite(number) ? undefined : number);
        }}
      />
    </FormGroup>
  );
}

/** `undefined`: the usual one. What is out of range is told when it is taken over. */
function percentileOf(text: string): number | undefined {
  const number = Number(text);
  return text.trim() === '' || !Number.isFinite(number) ? undefined : number;
}

function PercentileInput({ metric, onChange }: Pick<MetricRowProps, 'metric' | 'onChange'>) {
  const t = useT();
  const [text, take] = useOwnText(metric.percentile, percentileOf, (value) => String(value ?? ''));
  return (
    <TextInput
      className="percentile"
      aria-label={t('dashboards.percentile')}
      inputMode="decimal"
      placeholder="95"
      value={text}
      validated={text.trim() !== '' && !(Number(text) >= 0 && Number(text) <= 100) ? 'error' : 'default'}
      onChange={(_, next) => {
        const percentile = take(next);
        onChange(percentile === undefined ? without(metric, 'percentile') : { ...metric, percentile });
      }}
    />
  );
}

interface MetricRowProps {
  metric: Metric;
  at: number;
  panel: Panel;
  deployment: string;
  first: boolean;
  onChange: (metric: Metric) => void;
  onRemove: (() => void) | undefined;
}

function MetricRow({ metric, at, panel, deployment, first, onChange, onRemove }: MetricRowProps) {
  const t = useT();
  return (
    <div className="metric-row">
      <FormSelect
        aria-label={t('dashboards.of')}
        value={metric.of}
        onChange={(_, of) => {
          const next: Metric = { ...metric, of: of as Of };
          onChange(of === 'percentile' ? { ...next, percentile: next.percentile ?? 95 } : next);
        }}
      >
        {OFS.map((of) => (
          <FormSelectOption key={of} value={of} label={t(OF_WORDS[of])} />
        ))}
      </FormSelect>
      {metric.of === 'percentile' ? <PercentileInput metric={metric} onChange={onChange} /> : null}
      <FieldInput
        id={`panel-field-${at}`}
        label={t('dashboards.field')}
        placeholder="docker.cpu.total.pct"
        autoFocus={first}
        value={metric.field ?? ''}
        indices={panel.index ?? []}
        deployment={deployment}
        aggregatable
        onChange={(field) => onChange({ ...metric, field })}
      />
      {onRemove ? (
        <Button
          variant="plain"
          size="sm"
          icon={<CloseIcon />}
          aria-label={t('dashboards.metric.remove')}
          onClick={onRemove}
        />
      ) : null}
    </div>
  );
}

/** The stream that has the field, once one is named that could be in any. */
function useStreamOf(deployment: string, panel: Panel, now: number): string | undefined {
  const field = panel.metrics?.[0]?.field || panel.split?.[0] || '';
  const looks = isAnywhere(panel) && field !== '';
  const fields = useFields(deployment, ANYWHERE, field);
  const known = fields.data?.fields.some((one) => one.name === field) ?? false;
  const found = useSearch(
    {
      deployment,
      indices: ANYWHERE,
      body: {
        size: 0,
        track_total_hits: false,
        query: all([exists(field || '@timestamp'), rangeOf({ from: now - DAY_MS, to: now })]),
        aggs: { type: terms('data_stream.type', 2, { set: terms('data_stream.dataset', 1) }) },
      },
    },
    { enabled: looks && known },
  );
  if (!looks || !known) return undefined;
  const [type] = bucketsOf(found.data?.aggregations, 'type');
  const [set] = bucketsOf(type, 'set');
  return type && set ? `${type.key}-${set.key}-*` : undefined;
}

function ChartForm({
  panel,
  change,
  where,
  isNew,
  kindChosen,
}: {
  panel: Panel;
  change: (panel: Panel) => void;
  where: PanelWhere;
  isNew: boolean;
  /** Its kind was chosen, and is not to be guessed. */
  kindChosen: boolean;
}) {
  const t = useT();
  const { deployment, range } = where;
  const [touched, setTouched] = useState(!isNew);
  const [more, setMore] = useState(false);
  const metrics = panel.metrics ?? [];
  const isMap = panel.kind === 'map';
  const stream = useStreamOf(deployment, panel, range.to);
  useEffect(() => {
    if (stream) change({ ...panel, index: [stream] });
  }, [stream, panel, change]);

  const [guessed, setGuessed] = useState('');
  const first = metrics[0]?.field ?? '';
  const fields = useFields(deployment, panel.index ?? [], first);
  const known = fields.data?.fields.find((one) => one.name === first);
  // Names are known some time after they were typed.
  useEffect(() => {
    if (!known || touched || guessed === known.name) return;
    setGuessed(known.name);
    const best = guess(known.name, known.type);
    const ofMap = kindChosen && panel.kind === 'map';
    change({
      ...(ofMap ? panel : without(panel, 'split')),
      ...(best.unit ? { unit: best.unit } : {}),
      kind: kindChosen ? panel.kind : best.kind,
      title: best.title,
      metrics: [best.metric],
      ...(best.split && !ofMap ? { split: best.split } : {}),
    });
  }, [known, touched, guessed, panel, change, kindChosen]);

  const setMetric = (at: number, metric: Metric) =>
    change({ ...panel, metrics: metrics.map((one, place) => (place === at ? metric : one)) });
  const touch = (next: Panel) => {
    setTouched(true);
    change(next);
  };

  return (
    <>
      <FormGroup label={t('dashboards.shows')} role="group">
        {metrics.map((metric, at) => (
          <MetricRow
            // biome-ignore lint/suspicious/noArrayIndexKey: a metric has no other name than its place
            key={at}
            metric={metric}
            at={at}
            panel={panel}
            deployment={deployment}
            first={at === 0}
            onChange={(next) => setMetric(at, next)}
            onRemove={
              metrics.length > 1
                ? () => touch({ ...panel, metrics: metrics.filter((_, place) => place !== at) })
                : undefined
            }
          />
        ))}
        {metrics.length < MOST_METRICS ? (
          <Button
            variant="link"
            size="sm"
            isInline
            onClick={() => touch({ ...panel, metrics: [...metrics, { of: 'avg', field: '' }] })}
          >
            {t('dashboards.metric.add')}
          </Button>
        ) : null}
      </FormGroup>
      <FormGroup label={t('dashboards.stream')} fieldId="panel-stream">
        <StreamsInput
          id="panel-stream"
          value={panel.index ?? []}
          deployment={deployment}
          onChange={(index) => change({ ...panel, index })}
        />
      </FormGroup>
      <div className="pair">
        {isMap ? (
          <FormGroup label={t('dashboards.sized')} fieldId="panel-sized">
            <FormSelect
              id="panel-sized"
              value={panel.sized ?? 'hosts'}
              onChange={(_, sized) => touch({ ...panel, sized: sized as Sized })}
            >
              {SIZED.map((sized) => (
                <FormSelectOption key={sized} value={sized} label={t(SIZED_WORDS[sized])} />
              ))}
            </FormSelect>
          </FormGroup>
        ) : (
          <FormGroup label={t('dashboards.split')} fieldId="panel-split">
            <FieldInput
              id="panel-split"
              placeholder="host.name"
              value={panel.split?.[0] ?? ''}
              indices={panel.index ?? []}
              deployment={deployment}
              aggregatable
              onChange={(field) => {
                const second = panel.split?.slice(1) ?? [];
                touch(field ? { ...panel, split: [field, ...second] } : without(panel, 'split'));
              }}
            />
          </FormGroup>
        )}
        <FormGroup label={t('dashboards.unit')} fieldId="panel-unit">
          <FormSelect
            id="panel-unit"
            value={panel.unit ?? 'count'}
            onChange={(_, unit) => touch({ ...panel, unit: unit as Unit })}
          >
            {UNITS.map((unit) => (
              <FormSelectOption key={unit} value={unit} label={t(UNIT_WORDS[unit])} />
            ))}
          </FormSelect>
        </FormGroup>
      </div>
      <FormGroup label={t('dashboards.filter')} fieldId="panel-filter">
        <TextInput
          id="panel-filter"
          placeholder="log.level:error AND NOT container.name:test*"
          value={panel.filter ?? ''}
          spellCheck={false}
          onChange={(_, filter) => change({ ...panel, filter })}
        />
      </FormGroup>
      <ExpandableSection
        toggleText={t('dashboards.further')}
        isExpanded={more}
        onToggle={(_, open) => setMore(open)}
      >
        <div className="stack">
          {panel.split?.length && !isMap ? (
            <FormGroup label={t('dashboards.split.second')} fieldId="panel-split-second">
              <FieldInput
                id="panel-split-second"
                value={panel.split[1] ?? ''}
                indices={panel.index ?? []}
                deployment={deployment}
                aggregatable
                onChange={(field) =>
                  change({ ...panel, split: [panel.split?.[0] ?? '', field].filter(Boolean) })
                }
              />
            </FormGroup>
          ) : null}
          <FormGroup label={t('dashboards.each')} fieldId="panel-each">
            <FieldsInput
              id="panel-each"
              placeholder="container.name"
              value={panel.each ?? []}
              indices={panel.index ?? []}
              deployment={deployment}
              aggregatable
              onChange={(each) => change({ ...panel, each })}
            />
          </FormGroup>
          <div className="pair">
            <NumberInput
              id="panel-size"
              label={t('dashboards.size')}
              value={panel.size}
              onChange={(size) => change(size === undefined ? without(panel, 'size') : { ...panel, size })}
            />
            <NumberInput
              id="panel-period"
              label={t('dashboards.period')}
              value={panel.period}
              onChange={(period) =>
                change(period === undefined ? without(panel, 'period') : { ...panel, period })
              }
            />
          </div>
          <div className="pair">
            <NumberInput
              id="panel-warn"
              label={t('dashboards.warn')}
              value={panel.limits?.warn}
              onChange={(warn) => {
                const limits =
                  warn === undefined ? without(panel.limits ?? {}, 'warn') : { ...panel.limits, warn };
                change({ ...panel, limits });
              }}
            />
            <NumberInput
              id="panel-bad"
              label={t('dashboards.bad')}
              value={panel.limits?.bad}
              onChange={(bad) => {
                const limits =
                  bad === undefined ? without(panel.limits ?? {}, 'bad') : { ...panel.limits, bad };
                change({ ...panel, limits });
              }}
            />
          </div>
          <div className="pair">
            <NumberInput
              id="panel-scale"
              label={t('dashboards.scale')}
              value={metrics[0]?.scale}
              onChange={(scale) =>
                change({
                  ...panel,
                  metrics: metrics.map((one) =>
                    scale === undefined ? without(one, 'scale') : { ...one, scale },
                  ),
                })
              }
            />
            {panel.kind === 'gauge' ? (
              <NumberInput
                id="panel-max"
                label={t('dashboards.max')}
                value={panel.max}
                onChange={(max) => change(max === undefined ? without(panel, 'max') : { ...panel, max })}
              />
            ) : null}
          </div>
          {panel.kind === 'line' || panel.kind === 'area' || panel.kind === 'bar' ? (
            <Checkbox
              id="panel-stacked"
              label={t('dashboards.stacked')}
              isChecked={panel.stacked ?? panel.kind === 'area'}
              onChange={(_, stacked) => change({ ...panel, stacked })}
            />
          ) : null}
        </div>
      </ExpandableSection>
    </>
  );
}

export function Editor(props: EditorProps) {
  const t = useT();
  const { where, isNew } = props;
  const [panel, setPanel] = useState(props.panel);
  const [kindChosen, setKindChosen] = useState(false);
  const shown = useDeferredValue(panel);
  const drawn = panel.kind !== 'markdown';
  const missing = () => {
    if (!drawn) return panel.text?.trim() ? undefined : t('dashboards.why.text');
    if (!panel.index?.length) return t('dashboards.why.stream');
    if (panel.metrics?.some((one) => one.of !== 'count' && !one.field)) return t('dashboards.why.field');
    return undefined;
  };
  const setKind = (kind: Kind) => {
    setKindChosen(true);
    if (kind === 'markdown') {
      setPanel({ ...panel, kind });
      return;
    }
    const { index = ANYWHERE, metrics = [{ of: 'avg', field: '' } as Metric] } = panel;
    const next: Panel = { ...without(panel, 'sized'), kind, index, metrics };
    if (kind === 'map') setPanel({ ...next, split: [ZONE_FIELD] });
    else if (panel.kind === 'map') setPanel(without(next, 'split'));
    else setPanel(next);
  };
  return (
    <Modal isOpen variant="large" onClose={props.onClose} aria-labelledby="panel-editor">
      <ModalHeader title={isNew ? t('dashboards.add') : t('dashboards.edit.panel')} labelId="panel-editor" />
      <ModalBody>
        <div className="panel-editor">
          <form
            className="stack"
            id="panel-form"
            onSubmit={(event) => {
              event.preventDefault();
              if (!missing()) props.onSave(tidied(panel));
            }}
          >
            {drawn ? (
              <ChartForm
                panel={panel}
                change={setPanel}
                where={where}
                isNew={isNew}
                kindChosen={kindChosen}
              />
            ) : null}
            {drawn ? null : (
              <FormGroup label={t('dashboards.text')} fieldId="panel-text">
                <TextArea
                  id="panel-text"
                  rows={10}
                  value={panel.text ?? ''}
                  onChange={(_, text) => setPanel({ ...panel, text })}
                />
              </FormGroup>
            )}
            <div className="pair">
              <FormGroup label={t('dashboards.kind')} fieldId="panel-kind">
                <FormSelect id="panel-kind" value={panel.kind} onChange={(_, kind) => setKind(kind as Kind)}>
                  {KINDS.map((kind) => (
                    <FormSelectOption key={kind} value={kind} label={t(KIND_WORDS[kind])} />
                  ))}
                </FormSelect>
              </FormGroup>
              <FormGroup label={t('dashboards.title')} fieldId="panel-title">
                <TextInput
                  id="panel-title"
                  value={panel.title}
                  onChange={(_, title) => setPanel({ ...panel, title })}
                />
              </FormGroup>
            </div>
            {props.error ? <Refused error={props.error} /> : null}
            {props.faults.length > 0 ? <Faults faults={props.faults} /> : null}
          </form>
          <div className="preview">
            <h2 className="sr-only">{t('dashboards.preview')}</h2>
            <PanelBox panel={shown} title={shown.title} where={where} height={PREVIEW} />
          </div>
        </div>
      </ModalBody>
      <ModalFooter>
        <ActionButton
          type="submit"
          form="panel-form"
          variant="primary"
          isLoading={props.busy}
          whyNot={missing()}
        >
          {props.action}
        </ActionButton>
        <Button variant="link" onClick={props.onClose}>
          {t('close')}
        </Button>
        {missing() ? null : props.extra?.(tidied(panel))}
      </ModalFooter>
    </Modal>
  );
}

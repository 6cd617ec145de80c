// The form of a watch: what it is, when it runs, what it looks at, what is wrong, what is said.
import { FormSelect, FormSelectOption, Switch, TextArea, TextInput } from '@patternfly/react-core';
import { useMonitorCall } from '../../api/monitor';
import { Search } from '../../generated/wharf/monitor/v1/search_pb';
import { Comparison, Missing, Severity } from '../../generated/wharf/monitor/v1/watches_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ActionFields } from './ActionFields';
import { Field } from './Field';
import { MISSINGS, SEVERITIES, SIGNS } from './marks';
import { bodyText, builtBody, type Faults, MEASURES, type MeasureKind, type WatchForm } from './watch-form';

export interface FieldsProps {
  form: WatchForm;
  faults: Faults;
  deployment: string;
  /** Its name is given already. */
  named?: boolean;
  onChange: (change: Partial<WatchForm>) => void;
}

const MEASURE_WORDS: Record<MeasureKind, MessageKey> = {
  count: 'alerts.measure.count',
  share: 'alerts.measure.share',
  avg: 'alerts.measure.avg',
  max: 'alerts.measure.max',
  min: 'alerts.measure.min',
  sum: 'alerts.measure.sum',
  p95: 'alerts.measure.p95',
};

type TextName = { [K in keyof WatchForm]: WatchForm[K] extends string ? K : never }[keyof WatchForm];

/** Fields of text by their name. */
function useText({ form, faults, onChange }: FieldsProps) {
  const t = useT();
  return (
    name: TextName,
    label: MessageKey,
    more: { help?: string; list?: string; required?: boolean } = {},
  ) => {
    const fault = faults[name];
    const { list, ...rest } = more;
    return (
      <Field id={`watch-${name}`} label={t(label)} fault={fault ? t(fault) : undefined} {...rest}>
        <TextInput
          id={`watch-${name}`}
          value={form[name]}
          autoComplete="off"
          validated={fault ? 'error' : 'default'}
          {...(list ? { list } : {})}
          onChange={(_, value) => onChange({ [name]: value })}
        />
      </Field>
    );
  };
}

function What(props: FieldsProps) {
  const t = useT();
  const { form, faults, named, onChange } = props;
  const text = useText(props);
  return (
    <fieldset className="stack">
      <legend>{t('alerts.form.what')}</legend>
      <div className="form-row">
        <Field
          id="watch-name"
          label={t('name')}
          required
          fault={!named && faults.name ? t(faults.name) : undefined}
        >
          <TextInput
            id="watch-name"
            value={form.name}
            autoComplete="off"
            isRequired
            {...(named ? { readOnlyVariant: 'default' as const } : {})}
            onChange={(_, name) => onChange({ name })}
          />
        </Field>
        <Field id="watch-severity" label={t('alerts.severity')}>
          <FormSelect
            id="watch-severity"
            value={String(form.severity)}
            onChange={(_, value) => onChange({ severity: Number(value) as Severity })}
          >
            {[Severity.INFO, Severity.WARNING, Severity.CRITICAL].map((one) => (
              <FormSelectOption key={one} value={String(one)} label={t(SEVERITIES[one][1])} />
            ))}
          </FormSelect>
        </Field>
        <Field id="watch-enabled" label={t('state')}>
          <Switch
            id="watch-enabled"
            label={t('alerts.watch.enabled')}
            isChecked={form.enabled}
            onChange={(_, enabled) => onChange({ enabled })}
          />
        </Field>
      </div>
      <div className="form-row">
        {text('description', 'alerts.description')}
        {text('labels', 'alerts.labels', { help: t('alerts.labels.help') })}
      </div>
    </fieldset>
  );
}

function When(props: FieldsProps) {
  const t = useT();
  const { form, onChange } = props;
  const text = useText(props);
  return (
    <fieldset className="stack">
      <legend>{t('alerts.form.when')}</legend>
      <div className="form-row">
        <Field id="watch-runs" label={t('alerts.schedule')}>
          <FormSelect
            id="watch-runs"
            value={form.runs}
            onChange={(_, value) => onChange({ runs: value === 'cron' ? 'cron' : 'interval' })}
          >
            <FormSelectOption value="interval" label={t('alerts.schedule.interval')} />
            <FormSelectOption value="cron" label={t('alerts.schedule.cron')} />
          </FormSelect>
        </Field>
        {form.runs === 'interval' ? (
          text('every', 'alerts.schedule.every', { help: t('alerts.span.help') })
        ) : (
          <>
            {text('cron', 'alerts.schedule.cron.expression', { help: t('alerts.schedule.cron.help') })}
            {text('timeZone', 'alerts.schedule.zone')}
          </>
        )}
        {text('window', 'alerts.window', { help: t('alerts.window.help') })}
      </div>
    </fieldset>
  );
}

function LooksAt(props: FieldsProps) {
  const t = useT();
  const { form, faults, deployment, onChange } = props;
  const text = useText(props);
  const streams = useMonitorCall(
    Search.method.listDataStreams,
    { options: { pageSize: 200, orderBy: 'name' } },
    { deployment },
  );
  const write = (search: 'fields' | 'json') =>
    onChange(
      search === 'json' && form.search === 'fields'
        ? { search, body: JSON.stringify(builtBody(form), null, 2) }
        : { search },
    );
  return (
    <fieldset className="stack">
      <legend>{t('alerts.form.looksAt')}</legend>
      <div className="form-row">
        {text('indices', 'alerts.indices', { list: 'watch-streams', help: t('alerts.indices.help') })}
        <Field id="watch-search" label={t('alerts.search.kind')}>
          <FormSelect
            id="watch-search"
            value={form.search}
            onChange={(_, value) => write(value === 'json' ? 'json' : 'fields')}
          >
            <FormSelectOption value="fields" label={t('alerts.search.fields')} />
            <FormSelectOption value="json" label={t('alerts.search.json')} />
          </FormSelect>
        </Field>
      </div>
      <datalist id="watch-streams">
        {streams.data?.dataStreams.map((one) => (
          <option key={one.name} value={one.name} />
        ))}
      </datalist>
      {form.search === 'fields' ? (
        <div className="form-row">
          {text('query', 'alerts.query', { help: t('alerts.query.help') })}
          {text('groups', 'alerts.groups.by', { help: t('alerts.groups.by.help'), list: 'watch-fields' })}
        </div>
      ) : (
        <Field
          id="watch-body"
          label={t('alerts.search.body')}
          fault={faults.body ? t(faults.body) : undefined}
          help={t('alerts.search.body.help')}
        >
          <TextArea
            id="watch-body"
            className="mono"
            rows={14}
            resizeOrientation="vertical"
            spellCheck={false}
            value={bodyText(form)}
            onChange={(_, body) => onChange({ body })}
          />
        </Field>
      )}
    </fieldset>
  );
}

function WrongWhen(props: FieldsProps) {
  const t = useT();
  const { form, deployment, onChange } = props;
  const text = useText(props);
  const indices = form.indices.split(/[\s,]+/).filter((one) => one !== '');
  const fields = useMonitorCall(
    Search.method.listFields,
    { indices, limit: 1_000 },
    { deployment, enabled: form.search === 'fields' && indices.length > 0, keep: true },
  );
  const ofField = form.measure !== 'count' && form.measure !== 'share';
  return (
    <fieldset className="stack">
      <legend>{t('alerts.form.wrongWhen')}</legend>
      <datalist id="watch-fields">
        {fields.data?.fields
          .filter((one) => one.aggregatable)
          .map((one) => (
            <option key={one.name} value={one.name} />
          ))}
      </datalist>
      <div className="form-row">
        {form.search === 'fields' ? (
          <>
            <Field id="watch-measure" label={t('alerts.measure')}>
              <FormSelect
                id="watch-measure"
                value={form.measure}
                onChange={(_, value) =>
                  onChange({ measure: MEASURES.find((one) => one === value) ?? 'count' })
                }
              >
                {MEASURES.map((one) => (
                  <FormSelectOption key={one} value={one} label={t(MEASURE_WORDS[one])} />
                ))}
              </FormSelect>
            </Field>
            {ofField ? text('field', 'alerts.measure.field', { list: 'watch-fields', required: true }) : null}
            {form.measure === 'share' ? text('part', 'alerts.measure.part', { required: true }) : null}
          </>
        ) : (
          <>
            {text('buckets', 'alerts.buckets', { help: t('alerts.buckets.help') })}
            {text('path', 'alerts.path', { help: t('alerts.path.help'), required: true })}
            {text('whole', 'alerts.whole', { help: t('alerts.whole.help') })}
          </>
        )}
        <Field id="watch-comparison" label={t('alerts.comparison')}>
          <FormSelect
            id="watch-comparison"
            value={String(form.comparison)}
            onChange={(_, value) => onChange({ comparison: Number(value) as Comparison })}
          >
            {[Comparison.GT, Comparison.GTE, Comparison.LT, Comparison.LTE, Comparison.EQ, Comparison.NE].map(
              (one) => (
                <FormSelectOption key={one} value={String(one)} label={SIGNS[one]} />
              ),
            )}
          </FormSelect>
        </Field>
        {text('threshold', 'alerts.threshold', { required: true })}
      </div>
      <div className="form-row">
        {text('minCount', 'alerts.minCount', { help: t('alerts.minCount.help') })}
        <Field id="watch-missing" label={t('alerts.missing')}>
          <FormSelect
            id="watch-missing"
            value={String(form.missing)}
            onChange={(_, value) => onChange({ missing: Number(value) as Missing })}
          >
            {([Missing.ERROR, Missing.OK, Missing.FIRE] as const).map((one) => (
              <FormSelectOption key={one} value={String(one)} label={t(MISSINGS[one])} />
            ))}
          </FormSelect>
        </Field>
      </div>
    </fieldset>
  );
}

function Says(props: FieldsProps) {
  const t = useT();
  const text = useText(props);
  return (
    <fieldset className="stack">
      <legend>{t('alerts.form.says')}</legend>
      <ActionFields {...props} />
      <div className="form-row">
        {text('throttle', 'alerts.throttle', { help: t('alerts.throttle.help') })}
        {text('recoverAfter', 'alerts.recoverAfter', { help: t('alerts.recoverAfter.help') })}
        {text('timeout', 'alerts.timeout')}
      </div>
    </fieldset>
  );
}

export function WatchFields(props: FieldsProps) {
  return (
    <div className="watch-fields">
      <What {...props} />
      <When {...props} />
      <LooksAt {...props} />
      <WrongWhen {...props} />
      <Says {...props} />
    </div>
  );
}

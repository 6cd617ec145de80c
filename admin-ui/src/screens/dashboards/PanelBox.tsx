// One panel on the grid: its head and menu, its data, and who draws it. What is out of sight does not ask.
import {
  Button,
  Divider,
  Dropdown,
  DropdownItem,
  DropdownList,
  MenuToggle,
  Spinner,
} from '@patternfly/react-core';
import LineIcon from '@patternfly/react-icons/dist/esm/icons/chart-line-icon';
import MoreIcon from '@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon';
import TableIcon from '@patternfly/react-icons/dist/esm/icons/table-icon';
import { type ReactNode, useMemo, useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import { SYSTEM } from '../../api/monitor';
import { useI18n, useT } from '../../i18n/i18n';
import { useNearby } from '../../shared/chart/nearby';
import { DataNone, PartialData } from '../../shared/DataNone';
import { Loading } from '../../shared/DataState';
import { saveCsv } from '../../shared/files/save';
import { Query } from '../../shared/query/ShowQuery';
import { Refused } from '../../shared/Refused';
import { allOf, discoverLink, fieldIs } from '../../shared/search/discover-link';
import { isOverTime, type Panel, spoken } from './document';
import { csvOf, isEmpty, tableOf } from './frame';
import type { Step } from './layout';
import { Markdown } from './Markdown';
import { EPanel, MOST_GAUGES } from './panels/EPanel';
import { FigurePanel } from './panels/FigurePanel';
import { MapPanel } from './panels/MapPanel';
import type { RendererProps } from './panels/renderer';
import { TablePanel } from './panels/TablePanel';
import { TimePanel } from './panels/TimePanel';
import { filled, filtersOf } from './query';
import { type PanelWhere, usePanel } from './use-panel';

export interface PanelChanges {
  edit: () => void;
  duplicate: () => void;
  remove: () => void;
  step: (by: Step) => void;
}

interface PanelBoxProps {
  panel: Panel;
  title: string;
  where: PanelWhere;
  height: number;
  editing?: boolean;
  /** What may be done to it; nothing: it is only looked at. */
  changes?: PanelChanges | undefined;
  handle?: ReactNode;
}

/** The line that says that not all is shown. */
const MORE = 26;

const STEPS = [
  ['left', 'dashboards.step.left'],
  ['right', 'dashboards.step.right'],
  ['up', 'dashboards.step.up'],
  ['down', 'dashboards.step.down'],
  ['wider', 'dashboards.step.wider'],
  ['narrower', 'dashboards.step.narrower'],
  ['taller', 'dashboards.step.taller'],
  ['shorter', 'dashboards.step.shorter'],
] as const;

function Menu(props: {
  title: string;
  editing: boolean;
  changes: PanelChanges | undefined;
  onQuery: (() => void) | undefined;
  onDiscover: (() => void) | undefined;
  onCsv: (() => void) | undefined;
}) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const { editing, changes, onQuery, onDiscover, onCsv } = props;
  if (!changes && !onQuery) return null;
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={() => setOpen(false)}
      popperProps={{ position: 'right', appendTo: 'inline' }}
      toggle={(ref) => (
        <MenuToggle
          ref={ref}
          variant="plain"
          size="sm"
          isExpanded={open}
          onClick={() => setOpen(!open)}
          aria-label={t('dashboards.menu', { title: props.title })}
          icon={<MoreIcon />}
        />
      )}
    >
      <DropdownList>
        {changes ? <DropdownItem onClick={changes.edit}>{t('dashboards.edit.panel')}</DropdownItem> : null}
        {onQuery ? <DropdownItem onClick={onQuery}>{t('dashboards.query')}</DropdownItem> : null}
        {onDiscover ? <DropdownItem onClick={onDiscover}>{t('dashboards.discover')}</DropdownItem> : null}
        {onCsv ? <DropdownItem onClick={onCsv}>{t('dashboards.csv')}</DropdownItem> : null}
        {editing && changes ? (
          <>
            <Divider component="li" />
            {STEPS.map(([by, word]) => (
              <DropdownItem key={by} onClick={() => changes.step(by)}>
                {t(word)}
              </DropdownItem>
            ))}
            <Divider component="li" />
            <DropdownItem onClick={changes.duplicate}>{t('dashboards.duplicate')}</DropdownItem>
            <DropdownItem isDanger onClick={changes.remove}>
              {t('dashboards.remove')}
            </DropdownItem>
          </>
        ) : null}
      </DropdownList>
    </Dropdown>
  );
}

function Draw(props: RendererProps & { asTable: boolean }) {
  if (props.panel.kind === 'map') return <MapPanel {...props} />;
  if (props.asTable) return <TablePanel {...props} />;
  switch (props.panel.kind) {
    case 'metric':
      return <FigurePanel {...props} />;
    case 'table':
      return <TablePanel {...props} />;
    default:
      return <EPanel {...props} />;
  }
}

export function PanelBox(props: PanelBoxProps) {
  const { t, language } = useI18n();
  const navigate = useNavigate();
  const box = useRef<HTMLElement>(null);
  const seen = useNearby(box);
  const [asTable, setAsTable] = useState(false);
  const [query, setQuery] = useState(false);
  const { title, where, height, editing = false } = props;
  const panel = useMemo(() => spoken(props.panel, language), [props.panel, language]);
  const data = usePanel(panel, where, seen === true);
  const { ask, frame } = data;
  const drawn = panel.kind !== 'markdown';
  const hasTwin = ['pie', 'treemap', 'heatmap', 'gauge', 'map'].includes(panel.kind);

  const discover = () => {
    const { chosen, range, deployment } = where;
    const clauses = chosen
      .filter((one) => one.value !== '' && !panel.ignores?.includes(one.name))
      .map((one) => fieldIs(one.field, one.value));
    const q = allOf(filled(panel.filter ?? '', chosen), ...clauses);
    void navigate(
      discoverLink({
        deployment: deployment === SYSTEM ? undefined : deployment,
        indices: panel.index,
        q,
        from: range.raw.from,
        to: range.raw.to,
      }),
    );
  };

  const actions = (
    <span className="panel-actions">
      {data.stale ? <Spinner size="sm" aria-label={t('state.loading')} /> : null}
      {hasTwin && frame && !isEmpty(frame) ? (
        <Button
          variant="plain"
          size="sm"
          icon={asTable ? <LineIcon /> : <TableIcon />}
          aria-label={`${asTable ? t('chart.asChart') : t('chart.asTable')}: ${title}`}
          title={asTable ? t('chart.asChart') : t('chart.asTable')}
          onClick={() => setAsTable(!asTable)}
        />
      ) : null}
      <Menu
        title={title}
        editing={editing}
        changes={props.changes}
        onQuery={ask ? () => setQuery(true) : undefined}
        onDiscover={ask ? discover : undefined}
        onCsv={
          frame && !isEmpty(frame)
            ? () => saveCsv(`${panel.id}.csv`, [csvOf(tableOf(panel, frame))])
            : undefined
        }
      />
      {props.handle}
    </span>
  );
  const none =
    frame && isEmpty(frame) && panel.index && !data.stale ? (
      <DataNone
        indices={panel.index}
        filter={filtersOf(panel, where.chosen)}
        deployment={where.deployment}
        onShow={where.range.zoom}
      />
    ) : null;
  const gauges = panel.kind === 'gauge' && !asTable && frame?.over === 'rows' ? frame.rows.length : 0;
  const more = !none && (frame?.more || gauges > MOST_GAUGES) ? t('dashboards.more') : null;
  const ofTime = drawn && isOverTime(panel.kind) && panel.kind !== 'heatmap';
  const rendered: RendererProps = {
    panel,
    title,
    frame,
    range: where.range,
    deployment: where.deployment,
    height: more && !ofTime ? height - MORE : height,
    actions,
    note: more,
    empty: none,
  };

  let body: ReactNode;
  if (!drawn) body = <Markdown text={panel.text ?? ''} />;
  else if (!ask) body = <p className="quiet panel-note">{t('dashboards.noQuery')}</p>;
  else if (frame === undefined) {
    // What is out of sight was not asked for: nothing of it is on its way.
    const comes = seen === false ? null : <Loading lines={3} />;
    body = data.error ? <Refused error={data.error} retry={data.retry} /> : comes;
  } else {
    body = none ?? (
      <>
        <Draw {...rendered} asTable={asTable} />
        {more ? <p className="quiet more">{more}</p> : null}
      </>
    );
  }

  return (
    <section
      className={`card panel panel-${panel.kind}`}
      ref={box}
      aria-label={title}
      aria-busy={data.loading && seen !== false}
    >
      {ofTime && frame ? (
        <TimePanel {...rendered} />
      ) : (
        <>
          {title || editing || drawn ? (
            <header className="chart-head">
              {title ? <h3 title={title}>{title}</h3> : null}
              <span className="spacer" />
              {actions}
            </header>
          ) : null}
          {drawn && panel.kind !== 'pie' ? (
            <div className="panel-body">{body}</div>
          ) : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
            <div className="panel-body" tabIndex={0}>
              {body}
            </div>
          )}
        </>
      )}
      {frame && data.error ? <Refused error={data.error} retry={data.retry} /> : null}
      <PartialData answers={data.answers} />
      {query && ask ? (
        <Query
          indices={ask.indices}
          body={ask.body}
          deployment={where.deployment}
          of={title}
          close={() => setQuery(false)}
        />
      ) : null}
    </section>
  );
}

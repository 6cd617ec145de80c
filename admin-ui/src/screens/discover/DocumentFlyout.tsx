// One document: its fields to filter by, its JSON, and the lines around it.
import { Button, SearchInput, Tab, Tabs, TabTitleText } from '@patternfly/react-core';
import ColumnsIcon from '@patternfly/react-icons/dist/esm/icons/columns-icon';
import MinusIcon from '@patternfly/react-icons/dist/esm/icons/search-minus-icon';
import PlusIcon from '@patternfly/react-icons/dist/esm/icons/search-plus-icon';
import { type ReactNode, useState } from 'react';
import { type Json, type JsonObject, useSearch } from '../../api/monitor';
import { useStorageUrl } from '../../api/storage-url';
import { useFormat } from '../../format/use-format';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { CopyButton } from '../../shared/CopyButton';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { Flyout } from '../../shared/Flyout';
import { asCurl } from '../../shared/query/as-query';
import { Level, useStamp } from './Documents';
import { atOf, clipped, flattened, type Hit, levelOf, shown, streamOf, valuesOf } from './document';
import { documentBody } from './requests';
import { Surrounding } from './Surrounding';

interface DocumentFlyoutProps {
  deployment: string;
  indices: string[];
  id: string;
  columns: string[];
  /** Nothing: it is the first, the last. */
  previous: (() => void) | undefined;
  next: (() => void) | undefined;
  onFilter: (field: string, value: string, out: boolean) => void;
  onExists: (field: string) => void;
  onColumn: (field: string) => void;
  onClose: () => void;
}

type View = 'fields' | 'json' | 'around';

function Long({ text, mono }: { text: string; mono?: boolean }) {
  const t = useT();
  const format = useFormat();
  const [whole, setWhole] = useState(false);
  const part = clipped(text);
  return (
    <span className={mono ? 'value mono' : 'value'}>
      {whole ? text : part.text}
      {part.more > 0 ? (
        <Button variant="link" isInline size="sm" onClick={() => setWhole(!whole)}>
          {whole
            ? t('discover.document.less')
            : t('discover.document.more', { count: format.number(part.more) })}
        </Button>
      ) : null}
    </span>
  );
}

function FieldRow({
  path,
  value,
  props,
}: {
  path: string;
  value: Json;
  props: Pick<DocumentFlyoutProps, 'columns' | 'onFilter' | 'onExists' | 'onColumn'>;
}) {
  const t = useT();
  const values = valuesOf(value);
  const [one] = values;
  const simple = values.length === 1 && one !== undefined && one.length <= 1_024;
  const act = (label: string, icon: ReactNode, press: () => void) => (
    <Button variant="plain" size="sm" icon={icon} aria-label={label} title={label} onClick={press} />
  );
  const what = { field: path, value: clipped(one ?? '', 60).text };
  return (
    <tr>
      <td>
        {simple ? (
          <>
            {act(t('discover.filter.for', what), <PlusIcon />, () => props.onFilter(path, one, false))}
            {act(t('discover.filter.out', what), <MinusIcon />, () => props.onFilter(path, one, true))}
          </>
        ) : (
          act(t('discover.filter.exists', { field: path }), <PlusIcon />, () => props.onExists(path))
        )}
        {act(
          t(props.columns.includes(path) ? 'discover.column.remove' : 'discover.column.add', { field: path }),
          <ColumnsIcon />,
          () => props.onColumn(path),
        )}
      </td>
      <th scope="row">{path}</th>
      <td>
        {path === 'log.level' ? (
          <Level level={shown(value)} />
        ) : (
          <Long text={shown(value)} mono={path === 'message'} />
        )}
      </td>
    </tr>
  );
}

function FieldTable({ source, props }: { source: JsonObject; props: DocumentFlyoutProps }) {
  const t = useT();
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  const fields = flattened(source).filter(
    ([path, value]) => path.toLowerCase().includes(wanted) || shown(value).toLowerCase().includes(wanted),
  );
  return (
    <>
      <SearchInput
        aria-label={t('discover.document.find')}
        placeholder={t('discover.document.find')}
        value={text}
        onChange={(_, value) => setText(value)}
        onClear={() => setText('')}
      />
      <table className="document-fields" aria-label={t('discover.document.fields')}>
        <colgroup>
          <col className="acts" />
          <col className="name" />
          <col />
        </colgroup>
        <thead className="sr-only">
          <tr>
            <th scope="col">{t('list.actions')}</th>
            <th scope="col">{t('discover.field')}</th>
            <th scope="col">{t('discover.value')}</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(([path, value]) => (
            <FieldRow key={path} path={path} value={value} props={props} />
          ))}
        </tbody>
      </table>
      {fields.length === 0 ? <p className="quiet">{t('discover.document.noField')}</p> : null}
    </>
  );
}

/** Values as long as they are shown elsewhere: a line of megabytes would stop the page. */
function jsonOf(source: JsonObject): { text: string; cut: boolean } {
  let cut = false;
  const text = JSON.stringify(
    source,
    (_, value: unknown) => {
      if (typeof value !== 'string') return value;
      const part = clipped(value);
      if (part.more > 0) cut = true;
      return part.more > 0 ? `${part.text}…` : value;
    },
    2,
  );
  return { text, cut };
}

function AsJson({ source }: { source: JsonObject }) {
  const t = useT();
  const { text, cut } = jsonOf(source);
  return (
    <>
      {cut ? <p className="quiet">{t('discover.document.cut')}</p> : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre className="document-json" tabIndex={0}>
        {text}
      </pre>
    </>
  );
}

export function DocumentFlyout(props: DocumentFlyoutProps) {
  const { deployment, indices, id } = props;
  const t = useT();
  const stamp = useStamp();
  const [view, setView] = useState<View>('fields');
  const answer = useSearch({ deployment, indices, body: documentBody(id) }, { keep: true });
  const url = useStorageUrl(deployment);
  const hit: Hit | undefined = answer.data?.hits.hits[0];
  const curl = () => asCurl(hit ? [streamOf(hit._index)] : indices, documentBody(id), url);
  return (
    <Flyout
      label={t('discover.document')}
      title={
        hit ? (
          <span className="document-title">
            <span>{stamp(atOf(hit))}</span>
            {levelOf(hit._source) ? <Level level={levelOf(hit._source)} /> : null}
            <span className="quiet">{streamOf(hit._index)}</span>
          </span>
        ) : (
          t('discover.document')
        )
      }
      actions={
        <>
          <ActionButton
            variant="secondary"
            size="sm"
            whyNot={props.previous ? undefined : t('discover.document.first')}
            onClick={() => props.previous?.()}
          >
            {t('discover.document.previous')}
          </ActionButton>
          <ActionButton
            variant="secondary"
            size="sm"
            whyNot={props.next ? undefined : t('discover.document.last')}
            onClick={() => props.next?.()}
          >
            {t('discover.document.next')}
          </ActionButton>
          <span className="spacer" />
          {hit ? (
            <>
              <CopyButton text={() => JSON.stringify(hit._source, null, 2)}>
                {t('discover.copy.json')}
              </CopyButton>
              <CopyButton text={curl}>{t('discover.copy.curl')}</CopyButton>
            </>
          ) : null}
        </>
      }
      onClose={props.onClose}
    >
      <DataState query={answer} lines={12}>
        {() =>
          hit ? (
            <>
              <Tabs
                activeKey={view}
                onSelect={(_, key) => setView(key as View)}
                aria-label={t('discover.document')}
              >
                <Tab
                  eventKey="fields"
                  title={<TabTitleText>{t('discover.document.fields')}</TabTitleText>}
                  tabContentId="document-view"
                />
                <Tab eventKey="json" title={<TabTitleText>JSON</TabTitleText>} tabContentId="document-view" />
                <Tab
                  eventKey="around"
                  title={<TabTitleText>{t('discover.around')}</TabTitleText>}
                  tabContentId="document-view"
                />
              </Tabs>
              <div
                className="document-view"
                id="document-view"
                role="tabpanel"
                aria-label={t('discover.document')}
              >
                {view === 'fields' ? <FieldTable source={hit._source} props={props} /> : null}
                {view === 'json' ? <AsJson source={hit._source} /> : null}
                {view === 'around' ? (
                  <Surrounding deployment={deployment} indices={indices} hit={hit} />
                ) : null}
              </div>
            </>
          ) : (
            <Empty title={t('discover.document.gone')}>{t('discover.document.gone.about')}</Empty>
          )
        }
      </DataState>
    </Flyout>
  );
}

// The log of a host's engine, and the lines of its containers.
import { ToggleGroup, ToggleGroupItem } from '@patternfly/react-core';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { LogTail } from '../../shared/logs/LogTail';
import { fieldIs } from '../../shared/search/discover-link';
import { useSearchParams } from '../../shared/use-search-params';
import { LINES } from '../containers/queries';
import { ENGINE_LINES, ofHost } from './queries';

export function HostLogs({ host }: { host: string }) {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const engine = params.get('source') !== 'containers';
  const put = (name: string, value: string) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  return (
    <Card
      flush
      title={engine ? t('host.log.engine') : t('host.log.containers')}
      actions={
        <ToggleGroup aria-label={t('host.log.source')} isCompact>
          <ToggleGroupItem
            text={t('host.log.engine')}
            isSelected={engine}
            onChange={() => put('source', '')}
          />
          <ToggleGroupItem
            text={t('host.log.containers')}
            isSelected={!engine}
            onChange={() => put('source', 'containers')}
          />
        </ToggleGroup>
      }
    >
      <LogTail
        label={engine ? t('host.log.engine') : t('host.log.containers')}
        indices={engine ? ENGINE_LINES : LINES}
        filter={ofHost(host)}
        query={fieldIs('host.name', host)}
        columns={engine ? [] : ['container']}
        follow={params.get('follow') !== '0'}
        onFollow={(follow) => put('follow', follow ? '' : '0')}
      />
    </Card>
  );
}

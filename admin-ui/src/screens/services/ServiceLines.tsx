// Every line that a service writes: of the span where it has ended, else the last ones, and as they come.

import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { LogTail } from '../../shared/logs/LogTail';
import { levelOf } from '../../shared/logs/lines';
import { goesOn } from '../../shared/time/range';
import { useSearchParams } from '../../shared/use-search-params';
import { LINES, linesOf, lineWords } from './queries';
import type { OfService } from './Traffic';

const INDICES = [LINES];

export function ServiceLines({ service, kind, deployment, range }: OfService) {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const follow = params.get('follow') === '1' && goesOn(range.raw);
  const turn = (on: boolean) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (on) next.set('follow', '1');
        else next.delete('follow');
        // What is followed ends now.
        if (on && !goesOn(range.raw)) for (const name of ['from', 'to']) next.delete(name);
        return next;
      },
      { replace: true },
    );
  return (
    <Card flush title={t('services.lines')}>
      <LogTail
        label={t('services.lines')}
        deployment={deployment}
        indices={INDICES}
        {...linesOf(service, kind, range)}
        query={lineWords(service, kind, levelOf(params.get('level')), params.get('text') ?? '')}
        span={range.raw}
        columns={['host', 'container']}
        follow={follow}
        onFollow={turn}
      />
    </Card>
  );
}

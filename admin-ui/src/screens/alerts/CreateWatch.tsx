// A watch that is not there yet.
import { useDeployment } from '../../api/monitor';
import { useT } from '../../i18n/i18n';
import { PageHead } from '../../shared/PageHead';
import { alertsPath } from './paths';
import { WatchEditor } from './WatchEditor';

export default function CreateWatch() {
  const t = useT();
  const deployment = useDeployment();
  return (
    <>
      <PageHead
        title={t('alerts.watch.create')}
        trail={[{ to: alertsPath(deployment, { tab: 'watches' }), label: t('alerts.watches') }]}
      />
      <WatchEditor deployment={deployment} />
    </>
  );
}

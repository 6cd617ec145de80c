// Which version runs, and under which licences.
import { lazy, Suspense } from 'react';
import { useCall } from '../../api/call';
import { Platform } from '../../generated/wharf/v1/platform_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState, Loading } from '../../shared/DataState';
import { Facts } from '../../shared/Facts';
import { PageHead } from '../../shared/PageHead';
import { Diagnostics } from './Diagnostics';

/** The lists are long, and few come for them. */
const Licences = lazy(() => import('./Licences'));

export default function About() {
  const t = useT();
  const status = useCall(Platform.method.getStatus, {});
  return (
    <>
      <PageHead
        title={t('nav.about')}
        actions={<ApiRequest method={Platform.method.getStatus} input={{}} />}
      />
      <Card title={t('about.platform')}>
        <DataState query={status} lines={2}>
          {(data) => (
            <Facts
              facts={[
                [t('name'), data.name],
                [t('version'), data.version],
                [t('about.level'), String(data.featureLevel)],
                [
                  t('id'),
                  <span className="mono" key="id">
                    {data.platformId}
                  </span>,
                ],
              ]}
            />
          )}
        </DataState>
      </Card>
      <Card title={t('about.diagnostics')}>
        <Diagnostics platform={status.data?.name ?? ''} />
      </Card>
      <Card flush title={t('about.licences')}>
        <p className="note quiet">{t('about.licences.about')}</p>
        <Suspense fallback={<Loading lines={10} />}>
          <Licences />
        </Suspense>
      </Card>
    </>
  );
}

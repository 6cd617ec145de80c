// Where the platform is reached, and by which certificates: to be read here and changed elsewhere.
import type { ReactNode } from 'react';
import { useCall } from '../../api/call';
import { type Authority, Platform } from '../../generated/wharf/v1/platform_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { Facts } from '../../shared/Facts';
import { domainOf } from '../../shared/names/addresses';
import { Clock } from '../../shared/When';

const PHASES: Record<string, MessageKey> = {
  rest: 'authority.phase.rest',
  trust: 'authority.phase.trust',
  issue: 'authority.phase.issue',
  retire: 'authority.phase.retire',
};

function Certificates({ authority }: { authority: Authority }) {
  const t = useT();
  const takenBack = authority.cancelled && authority.phase !== 'rest';
  const phase = takenBack ? 'authority.phase.cancelled' : PHASES[authority.phase];
  const mono = (text: string) => <span className="mono">{text}</span>;
  return (
    <>
      <Facts
        facts={[
          [t('authority.issuing'), mono(authority.issuing)],
          ...(authority.other
            ? ([[t('authority.other'), mono(authority.other)]] as [string, ReactNode][])
            : []),
          [
            t('authority.change'),
            <span key="change">
              {phase ? t(phase) : authority.phase}
              {authority.since ? (
                <>
                  {' · '}
                  <Clock at={authority.since} />
                </>
              ) : null}
            </span>,
          ],
        ]}
      />
      {authority.phase !== 'rest' && authority.waits.length > 0 ? (
        <>
          <h3>{t('authority.waits')}</h3>
          <ul>
            {authority.waits.map((wait) => (
              <li key={wait.who}>
                {wait.who}: {wait.reason}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </>
  );
}

export function Addresses() {
  const t = useT();
  const status = useCall(Platform.method.getStatus, {});
  const authority = useCall(Platform.method.getAuthority, {}, { every: 10_000 });
  return (
    <Card
      title={t('settings.addresses')}
      actions={<ApiRequest method={Platform.method.getAuthority} input={{}} plain />}
    >
      <div className="stack">
        <DataState query={status} lines={2}>
          {(data) => (
            <Facts
              facts={[
                [
                  t('settings.domain'),
                  <span className="mono" key="domain">
                    {domainOf(data.proxyUrl)}
                  </span>,
                ],
                [
                  t('about.clients'),
                  <span className="mono" key="clients">
                    {data.proxyUrl}
                  </span>,
                ],
                [
                  t('about.admin'),
                  <span className="mono" key="admin">
                    {data.adminUrl}
                  </span>,
                ],
              ]}
            />
          )}
        </DataState>
        <DataState query={authority} lines={2}>
          {(data) => <Certificates authority={data} />}
        </DataState>
        <p className="quiet">{t('authority.readOnly')}</p>
        <a href="/api/ca" download="ca.pem">
          {t('authority.download')}
        </a>
      </div>
    </Card>
  );
}

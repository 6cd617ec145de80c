// Why an instance lies where it lies, and why not elsewhere: every host as placement sees it, best first.
import { useCall } from '../../api/call';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { Placement, type PlacementCandidate } from '../../generated/wharf/v1/placement_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { English } from '../../shared/English';
import { HostLink } from '../../shared/names/links';
import { STRATEGIES, useNameWord } from '../../shared/names/stable-names';
import { Mark } from '../../shared/status/Mark';

function Candidate({ one, here }: { one: PlacementCandidate; here: boolean }) {
  const t = useT();
  const format = useFormat();
  return (
    <tr>
      <td>
        <HostLink host={one.host} />
      </td>
      <td>{one.zone}</td>
      <td>
        {here ? (
          <Mark tone="good" word={t('why.here')} />
        ) : one.admitted ? (
          <Mark tone="off" word={t('why.could')} />
        ) : (
          <Mark tone="bad" word={t('why.cannot')} />
        )}
      </td>
      <td className="wrap">
        {one.refusals.length > 0 ? (
          <ul className="reasons">
            {one.refusals.map((refusal) => (
              <li key={refusal} lang="en">
                {refusal}
              </li>
            ))}
          </ul>
        ) : (
          <span className="mono">{one.score.join(' ')}</span>
        )}
      </td>
      <td className="right tight">{format.bytes(one.free?.memoryBytes ?? 0n)}</td>
      <td className="right tight">{format.bytes(one.free?.diskBytes ?? 0n)}</td>
    </tr>
  );
}

const MOST = 50;

export function WhyThere({ instanceId }: { instanceId: string }) {
  const t = useT();
  const word = useNameWord();
  const { seesPlatform } = useRights();
  const input = { instance: instanceId };
  const query = useCall(Placement.method.explainPlacement, input, { enabled: seesPlatform, every: 15_000 });
  if (!seesPlatform) return <Empty title={t('why.viewer')} />;
  return (
    <DataState query={query} lines={4}>
      {(answer) => {
        const shown = answer.candidates.filter(
          (one, at) => at < MOST || one.allocatorId === answer.allocatorId,
        );
        const cut = answer.candidates.length - shown.length;
        return (
          <div className="stack">
            <div className="line">
              <span>
                {t('why.strategy')}: {word(STRATEGIES, answer.strategy)} <code>{answer.strategy}</code>
              </span>
              {answer.lastMove ? <English className="quiet">{answer.lastMove}</English> : null}
              <span className="spacer" />
              <ApiRequest plain method={Placement.method.explainPlacement} input={input} />
            </div>
            {answer.refusal ? (
              <English>
                <Mark tone="warn" word={answer.refusal} />
              </English>
            ) : null}
            <section
              className="rows"
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
              tabIndex={0}
              aria-label={t('why.title')}
            >
              <table className="grid" aria-label={t('why.title')}>
                <thead>
                  <tr>
                    <th scope="col">{t('host')}</th>
                    <th scope="col">{t('zone')}</th>
                    <th scope="col">{t('why.verdict')}</th>
                    <th scope="col">{t('why.because')}</th>
                    <th scope="col" className="right">
                      {t('why.freeMemory')}
                    </th>
                    <th scope="col" className="right">
                      {t('why.freeDisk')}
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {shown.map((one) => (
                    <Candidate
                      key={one.allocatorId}
                      one={one}
                      here={one.allocatorId === answer.allocatorId}
                    />
                  ))}
                </tbody>
              </table>
            </section>
            {cut > 0 ? <p className="quiet">{t('why.cut', { count: cut })}</p> : null}
            <p className="quiet">{t('why.score')}</p>
          </div>
        );
      }}
    </DataState>
  );
}

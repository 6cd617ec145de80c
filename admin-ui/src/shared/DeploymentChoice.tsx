// Which deployment's data a page shows, kept in its URL. While there is only one, nothing is to be chosen.
import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useContext } from 'react';
import { useCall } from '../api/call';
import { UsualDeployment, useDeployment } from '../api/deployment';
import { DEPLOYMENT } from '../api/serves';
import { useRights } from '../api/session';
import { Deployments } from '../generated/wharf/v1/deployments_pb';
import { useT } from '../i18n/i18n';
import { CHOICES, ownNames } from './names/deployments';
import { useSearchParams } from './use-search-params';

export function DeploymentChoice() {
  return DEPLOYMENT === undefined ? <Choice /> : null;
}

function Choice() {
  const t = useT();
  const chosen = useDeployment();
  const usual = useContext(UsualDeployment);
  const { seesPlatform } = useRights();
  const [, setParams] = useSearchParams();
  const list = useCall(Deployments.method.listDeployments, CHOICES);
  const names = ownNames(list.data?.deployments ?? [], seesPlatform);
  if (!names.includes(chosen)) names.unshift(chosen);
  if (names.length < 2) return null;
  return (
    <FormSelect
      className="deployment-choice"
      aria-label={t('deployment')}
      value={chosen}
      onChange={(_, name) =>
        setParams((now) => {
          const next = new URLSearchParams(now);
          for (const gone of ['after', 'page', 'alert', 'run']) next.delete(gone);
          if (name === usual) next.delete('in');
          else next.set('in', name);
          return next;
        })
      }
    >
      {names.map((name) => (
        <FormSelectOption key={name} value={name} label={`${t('deployment')}: ${name}`} />
      ))}
    </FormSelect>
  );
}

// Where a deployment's storage nodes keep their snapshots, how often they take one, how many stay; and how the last ones
// went.
import { FormGroup, FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { mutation, useCall, useChange } from '../../api/call';
import { useRights } from '../../api/session';
import { type Deployment, Deployments } from '../../generated/wharf/v1/deployments_pb';
import { Repositories } from '../../generated/wharf/v1/repositories_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { DataState } from '../../shared/DataState';
import { English } from '../../shared/English';
import { Mark } from '../../shared/status/Mark';
import { Age } from '../../shared/When';
import { choicesOf, isFilledIn, isSame, policyOf, USUAL, wishOf } from './snapshot-policy';

interface SnapshotsProps {
  deployment: Deployment;
  onClose: () => Promise<void>;
}

function Last({ deployment }: { deployment: Deployment }) {
  const t = useT();
  const instances = deployment.snapshots?.instances ?? [];
  if (instances.length === 0) return null;
  return (
    <ul className="stack" aria-label={t('snapshots.last')}>
      {instances.map((one) => (
        <li key={one.instanceId}>
          <span className="line">
            <strong>{one.instanceName}</strong>
            <Mark
              tone={one.error ? 'bad' : one.takenAt ? 'good' : 'off'}
              word={
                one.error ? t('snapshots.failing') : one.takenAt ? t('snapshots.taken') : t('snapshots.none')
              }
            />
            {one.takenAt ? <Age at={one.takenAt} /> : null}
          </span>
          {one.error ? <English className="bad-text told">{one.error}</English> : null}
        </li>
      ))}
    </ul>
  );
}

export function SnapshotsDialog({ deployment, onClose }: SnapshotsProps) {
  const t = useT();
  const queries = useQueryClient();
  const { seesPlatform } = useRights();
  // As they were when it was opened: what another one changed meanwhile is not undone.
  const [{ before, version }] = useState({ before: policyOf(deployment), version: deployment.version });
  const [policy, setPolicy] = useState(before);
  const known = useCall(
    Repositories.method.listRepositories,
    { options: { pageSize: 200, orderBy: 'name' } },
    { enabled: seesPlatform },
  );
  const method = Deployments.method.setSnapshotPolicy;
  const wish = { deployment: deployment.id, ...wishOf(policy) };
  const set = useChange(method, () => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Deployments'] });
    void onClose();
  });
  return (
    <Confirm
      title={t('snapshots.title', { name: deployment.name })}
      action={t('save')}
      whyNot={
        isSame(before, policy) ? t('settings.same') : isFilledIn(policy) ? undefined : t('snapshots.figures')
      }
      busy={set.isPending}
      error={set.error}
      extra={<ApiRequest plain method={method} input={wish} />}
      onConfirm={() => set.mutate({ ...wish, mutation: mutation(version) })}
      onClose={() => void onClose()}
    >
      <div className="stack">
        <p>{t('snapshots.about')}</p>
        <Last deployment={deployment} />
        <FormGroup label={t('snapshots.repository')} fieldId="repository">
          {seesPlatform ? (
            <DataState query={known} lines={1}>
              {({ repositories }) => (
                <>
                  <FormSelect
                    id="repository"
                    value={policy.repository}
                    onChange={(_, repository) => setPolicy({ ...policy, repository })}
                  >
                    <FormSelectOption value="" label={t('deployment.snapshots.none')} />
                    {choicesOf(repositories, before.repository).map((name) => (
                      <FormSelectOption key={name} value={name} label={name} />
                    ))}
                  </FormSelect>
                  {repositories.length === 0 ? <p className="quiet">{t('snapshots.noRepository')}</p> : null}
                </>
              )}
            </DataState>
          ) : (
            <TextInput
              id="repository"
              value={policy.repository}
              placeholder={t('deployment.snapshots.none')}
              onChange={(_, repository) => setPolicy({ ...policy, repository })}
            />
          )}
        </FormGroup>
        <FormGroup label={t('snapshots.minutes')} fieldId="minutes">
          <TextInput
            id="minutes"
            type="number"
            min={1}
            value={policy.minutes}
            placeholder={before.minutes || USUAL.minutes}
            onChange={(_, minutes) => setPolicy({ ...policy, minutes })}
          />
        </FormGroup>
        <FormGroup label={t('snapshots.keep')} fieldId="keep">
          <TextInput
            id="keep"
            type="number"
            min={1}
            value={policy.keep}
            placeholder={before.keep || USUAL.keep}
            onChange={(_, keep) => setPolicy({ ...policy, keep })}
          />
        </FormGroup>
      </div>
    </Confirm>
  );
}

// Emptying a host: first what would move where and what could not, then the order for it.
import { Checkbox, FormGroup, TextInput } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { mutation, useChange, useDryRun } from '../../api/call';
import { type Allocator, Allocators } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { DataState } from '../../shared/DataState';
import { Refused } from '../../shared/Refused';
import { MoveTable } from './MoveTable';

export function VacateDialog({ host, onClose }: { host: Allocator; onClose: () => void }) {
  const t = useT();
  const queries = useQueryClient();
  const [parallelism, setParallelism] = useState('');
  const [hostDown, setHostDown] = useState(false);
  const wish = { allocator: host.id, parallelism: Number(parallelism) || 0, hostDown };
  const preview = useDryRun(Allocators.method.vacateAllocator, wish, true);
  const vacate = useChange(Allocators.method.vacateAllocator, () => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Allocators'] });
    onClose();
  });
  return (
    <Confirm
      title={t('vacate.title', { host: host.host })}
      action={t('vacate.begin')}
      {...(hostDown ? { name: host.host, danger: true } : {})}
      busy={vacate.isPending}
      error={vacate.error}
      extra={<ApiRequest method={Allocators.method.vacateAllocator} input={wish} />}
      onConfirm={() => vacate.mutate({ ...wish, mutation: mutation() })}
      onClose={onClose}
    >
      <div className="stack">
        <p>{t('vacate.about')}</p>
        <FormGroup label={t('vacate.parallelism')} fieldId="parallelism">
          <TextInput
            id="parallelism"
            type="number"
            min={0}
            value={parallelism}
            placeholder={t('vacate.parallelism.default')}
            onChange={(_, value) => setParallelism(value)}
          />
        </FormGroup>
        <Checkbox
          id="host-down"
          label={t('vacate.hostDown')}
          description={t('vacate.hostDown.about')}
          isChecked={hostDown}
          onChange={(_, next) => setHostDown(next)}
        />
        {preview.error ? (
          <Refused error={preview.error} title={t('create.refused')} />
        ) : (
          <DataState query={preview} lines={3}>
            {(answer) => <MoveTable moves={answer.vacate?.moves ?? []} label={t('vacate.wouldMove')} />}
          </DataState>
        )}
      </div>
    </Confirm>
  );
}

// Other sizes for the instances of a deployment: the director says beforehand where they would fit.
import { FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { mutation, useCall, useChange, useDryRun } from '../../api/call';
import { useFormat } from '../../format/use-format';
import { type Deployment, Deployments } from '../../generated/wharf/v1/deployments_pb';
import { Templates } from '../../generated/wharf/v1/templates_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { DataState } from '../../shared/DataState';
import { RESOURCES, useNameWord } from '../../shared/names/stable-names';
import { Preview } from '../../shared/plan/Preview';
import { choices, choicesWith } from './sizes';

interface ResizeProps {
  deployment: Deployment;
  onClose: () => Promise<void>;
}

export function ResizeDialog({ deployment, onClose }: ResizeProps) {
  const t = useT();
  const format = useFormat();
  const word = useNameWord();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [memory, setMemory] = useState<Record<string, string>>({});
  const template = useCall(Templates.method.getTemplate, { templateId: deployment.templateId });
  const sizes: Record<string, { memoryBytes: bigint }> = {};
  for (const resource of deployment.resources) {
    const wanted = memory[resource.kind];
    if (wanted && BigInt(wanted) !== resource.size?.memoryBytes) {
      sizes[resource.kind] = { memoryBytes: BigInt(wanted) };
    }
  }
  const differs = Object.keys(sizes).length > 0;
  const wish = { deployment: deployment.id, sizes };
  const preview = useDryRun(Deployments.method.resizeDeployment, wish, differs);
  const resize = useChange(Deployments.method.resizeDeployment, (answer) => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Deployments'] });
    void onClose().then(() => navigate(`/plans/${answer.planId}`));
  });
  const order = () => resize.mutate({ ...wish, mutation: mutation(deployment.version) });
  return (
    <Confirm
      title={t('resize.title', { name: deployment.name })}
      action={t('resize.go')}
      whyNot={differs ? undefined : t('resize.same')}
      focus={deployment.resources[0] ? `#resize-${deployment.resources[0].kind}` : undefined}
      busy={resize.isPending}
      error={resize.error}
      extra={<ApiRequest method={Deployments.method.resizeDeployment} input={wish} plain />}
      onConfirm={order}
      onClose={onClose}
    >
      <div className="stack">
        <p>{t('resize.about')}</p>
        {deployment.resources.map((resource) => {
          const limits = template.data?.resources.find(
            (one) => one.kind === resource.kind,
          )?.instanceConfiguration;
          const present = resource.size?.memoryBytes ?? 0n;
          const offered = choicesWith(
            choices(limits?.minMemoryBytes ?? present, limits?.maxMemoryBytes ?? present),
            present,
          );
          return (
            <FormGroup
              key={resource.id}
              label={t('create.memory', { kind: word(RESOURCES, resource.kind) })}
              fieldId={`resize-${resource.kind}`}
            >
              <FormSelect
                id={`resize-${resource.kind}`}
                value={memory[resource.kind] ?? String(present)}
                onChange={(_, value) => setMemory({ ...memory, [resource.kind]: value })}
                onKeyDown={(event) => {
                  if (event.key !== 'Enter' || !differs || resize.isPending) return;
                  event.preventDefault();
                  order();
                }}
              >
                {offered.map((size) => (
                  <FormSelectOption key={String(size)} value={String(size)} label={format.bytes(size)} />
                ))}
              </FormSelect>
            </FormGroup>
          );
        })}
        {differs ? (
          <DataState query={preview} lines={2}>
            {(answer) => (answer.preview ? <Preview preview={answer.preview} /> : null)}
          </DataState>
        ) : null}
      </div>
    </Confirm>
  );
}

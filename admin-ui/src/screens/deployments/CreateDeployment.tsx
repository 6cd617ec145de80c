// A new deployment: name, sizes, zones; while it is written the director says where it would go, and
// what refuses it.
import { Form, FormGroup, FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useDeferredValue, useState } from 'react';
import { useNavigate } from 'react-router';
import { mutation, useCall, useChange, useDryRun } from '../../api/call';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { Deployments } from '../../generated/wharf/v1/deployments_pb';
import { type Template, Templates } from '../../generated/wharf/v1/templates_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState, Loading } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { PageHead } from '../../shared/PageHead';
import { Preview } from '../../shared/plan/Preview';
import { Refused } from '../../shared/Refused';
import { choices } from './sizes';

interface Wish {
  name: string;
  memory: Record<string, string>;
  zones: Record<string, string>;
}

function requestOf(template: Template, wish: Wish) {
  const sizes: Record<string, { memoryBytes: bigint }> = {};
  const zoneCounts: Record<string, number> = {};
  for (const resource of template.resources) {
    const memory = wish.memory[resource.kind];
    if (memory) sizes[resource.kind] = { memoryBytes: BigInt(memory) };
    const zones = Number(wish.zones[resource.kind]);
    if (zones > 0) zoneCounts[resource.kind] = zones;
  }
  return { name: wish.name, templateId: template.id, sizes, zoneCounts };
}

function Check({ template, wish }: { template: Template; wish: Wish }) {
  const t = useT();
  const settled = useDeferredValue(wish);
  const named = settled.name !== '';
  const check = useDryRun(Deployments.method.createDeployment, requestOf(template, settled), named);
  if (!named) return <Empty title={t('create.check.name')}>{t('create.check.about')}</Empty>;
  if (check.error) return <Refused error={check.error} title={t('create.refused')} />;
  if (!check.data) return <Loading lines={3} />;
  return check.data.preview ? <Preview preview={check.data.preview} /> : null;
}

function CreateForm({ template }: { template: Template }) {
  const t = useT();
  const format = useFormat();
  const rights = useRights();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [wish, setWish] = useState<Wish>({ name: '', memory: {}, zones: {} });
  const [requestId] = useState(mutation);
  const create = useChange(Deployments.method.createDeployment, (answer) => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Deployments'] });
    void navigate(`/plans/${answer.planId}`);
  });
  const request = requestOf(template, wish);
  const whyNot = !rights.manages ? t('why.manager') : wish.name === '' ? t('create.check.name') : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // A second press after a lost answer carries the same id and makes nothing twice; after a refusal
    // the request is another one.
    if (!whyNot) create.mutate({ ...request, mutation: create.error ? mutation() : requestId });
  };
  return (
    <div className="columns">
      <div className="half">
        <Card title={t('create.wish')}>
          <Form onSubmit={submit}>
            <FormGroup label={t('name')} fieldId="name" isRequired>
              <TextInput
                id="name"
                value={wish.name}
                autoComplete="off"
                autoFocus
                onChange={(_, name) => setWish({ ...wish, name })}
              />
            </FormGroup>
            {template.resources.map((resource) => {
              const limits = resource.instanceConfiguration;
              const usual = resource.defaultSize?.memoryBytes ?? 0n;
              const sizes = choices(limits?.minMemoryBytes ?? usual, limits?.maxMemoryBytes ?? usual);
              return (
                <div className="form-row" key={resource.kind}>
                  <FormGroup
                    label={t('create.memory', { kind: resource.kind })}
                    fieldId={`memory-${resource.kind}`}
                  >
                    <FormSelect
                      id={`memory-${resource.kind}`}
                      value={wish.memory[resource.kind] ?? String(usual)}
                      onChange={(_, value) =>
                        setWish({ ...wish, memory: { ...wish.memory, [resource.kind]: value } })
                      }
                    >
                      {sizes.map((size) => (
                        <FormSelectOption
                          key={String(size)}
                          value={String(size)}
                          label={format.bytes(size)}
                        />
                      ))}
                    </FormSelect>
                  </FormGroup>
                  <FormGroup
                    label={t('create.zones', { kind: resource.kind })}
                    fieldId={`zones-${resource.kind}`}
                  >
                    <FormSelect
                      id={`zones-${resource.kind}`}
                      value={wish.zones[resource.kind] ?? String(resource.zoneCount)}
                      onChange={(_, value) =>
                        setWish({ ...wish, zones: { ...wish.zones, [resource.kind]: value } })
                      }
                    >
                      {[1, 2, 3].map((zones) => (
                        <FormSelectOption key={zones} value={String(zones)} label={String(zones)} />
                      ))}
                    </FormSelect>
                  </FormGroup>
                </div>
              );
            })}
            {create.error ? <Refused error={create.error} /> : null}
            <div className="actions">
              <ActionButton type="submit" isLoading={create.isPending} whyNot={whyNot}>
                {t('create.go')}
              </ActionButton>
              <ApiRequest method={Deployments.method.createDeployment} input={request} />
            </div>
          </Form>
        </Card>
      </div>
      <div className="half">
        <Card title={t('create.check')}>
          <Check template={template} wish={wish} />
        </Card>
      </div>
    </div>
  );
}

export default function CreateDeployment() {
  const t = useT();
  const templates = useCall(Templates.method.listTemplates, {});
  return (
    <>
      <PageHead title={t('create.title')} trail={[{ to: '/deployments', label: t('nav.deployments') }]} />
      <DataState query={templates}>
        {(data) => {
          const template = data.templates[0];
          return template ? <CreateForm template={template} /> : <Empty title={t('create.noTemplate')} />;
        }}
      </DataState>
    </>
  );
}

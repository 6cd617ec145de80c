// A new deployment, by fields or as YAML; while it is written the director says where it would go, and
// what refuses it.
import {
  Form,
  FormGroup,
  FormSelect,
  FormSelectOption,
  TextArea,
  TextInput,
  ToggleGroup,
  ToggleGroupItem,
} from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useDeferredValue, useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import { hashKey, mutation, useCall, useChange, useDryRun } from '../../api/call';
import { refusalOf } from '../../api/errors';
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
import { RESOURCES, useNameWord } from '../../shared/names/stable-names';
import { PageHead } from '../../shared/PageHead';
import { Preview } from '../../shared/plan/Preview';
import { Refused } from '../../shared/Refused';
import { useSearchParams } from '../../shared/use-search-params';
import { choices, choicesWith, diskChoices, usualDisk } from './sizes';
import { NOTHING, plainOf, type Request, requestOf, spelledOut, type Wish, wishOf } from './wish';
import { type Fault, readYaml, writeYaml } from './wish-yaml';

const FAULTS = {
  syntax: 'create.yaml.syntax',
  field: 'create.yaml.field',
  empty: 'create.yaml.empty',
  long: 'create.yaml.long',
  call: 'create.yaml.call',
} as const;

function Check({ request }: { request: Request }) {
  const t = useT();
  const settled = useDeferredValue(request);
  const named = Boolean(settled.name);
  const check = useDryRun(Deployments.method.createDeployment, settled, named);
  if (!named) return <Empty title={t('create.check.name')}>{t('create.check.about')}</Empty>;
  if (check.error) return <Refused error={check.error} title={t('create.refused')} />;
  if (!check.data) return <Loading lines={3} />;
  return check.data.preview ? <Preview preview={check.data.preview} /> : null;
}

interface FieldsProps {
  template: Template;
  wish: Wish;
  onWish: (wish: Wish) => void;
}

function Fields({ template, wish, onWish }: FieldsProps) {
  const t = useT();
  const word = useNameWord();
  const format = useFormat();
  return (
    <>
      <FormGroup label={t('name')} fieldId="name" isRequired>
        <TextInput
          id="name"
          value={wish.name}
          autoComplete="off"
          autoFocus
          onChange={(_, name) => onWish({ ...wish, name })}
        />
      </FormGroup>
      {template.resources.map((resource) => {
        const limits = resource.instanceConfiguration;
        const usual = resource.defaultSize?.memoryBytes ?? 0n;
        const own = wish.memory[resource.kind] ?? String(usual);
        const offered = choices(limits?.minMemoryBytes ?? usual, limits?.maxMemoryBytes ?? usual);
        const zones = wish.zones[resource.kind] ?? String(resource.zoneCount);
        // From the YAML others may come than those that are offered.
        const sizes = choicesWith(offered, BigInt(own));
        const disk = wish.disk[resource.kind] ?? '';
        const disks = disk ? choicesWith(diskChoices(resource), BigInt(disk)) : diskChoices(resource);
        const follows = format.bytes(usualDisk(resource, wish.memory[resource.kind]));
        return (
          <div className="form-row" key={resource.kind}>
            <FormGroup
              label={t('create.memory', { kind: word(RESOURCES, resource.kind) })}
              fieldId={`memory-${resource.kind}`}
            >
              <FormSelect
                id={`memory-${resource.kind}`}
                value={own}
                onChange={(_, value) =>
                  onWish({ ...wish, memory: { ...wish.memory, [resource.kind]: value } })
                }
              >
                {sizes.map((size) => (
                  <FormSelectOption key={String(size)} value={String(size)} label={format.bytes(size)} />
                ))}
              </FormSelect>
            </FormGroup>
            <FormGroup
              label={t('create.disk', { kind: word(RESOURCES, resource.kind) })}
              fieldId={`disk-${resource.kind}`}
            >
              <FormSelect
                id={`disk-${resource.kind}`}
                value={disk}
                onChange={(_, value) => onWish({ ...wish, disk: { ...wish.disk, [resource.kind]: value } })}
              >
                <FormSelectOption value="" label={t('create.disk.follows', { size: follows })} />
                {disks.map((size) => (
                  <FormSelectOption key={String(size)} value={String(size)} label={format.bytes(size)} />
                ))}
              </FormSelect>
            </FormGroup>
            <FormGroup
              label={t('create.zones', { kind: word(RESOURCES, resource.kind) })}
              fieldId={`zones-${resource.kind}`}
            >
              <FormSelect
                id={`zones-${resource.kind}`}
                value={zones}
                onChange={(_, value) => onWish({ ...wish, zones: { ...wish.zones, [resource.kind]: value } })}
              >
                {[...new Set(['1', '2', '3', zones])].map((count) => (
                  <FormSelectOption key={count} value={count} label={count} />
                ))}
              </FormSelect>
            </FormGroup>
          </div>
        );
      })}
      <FormGroup label={t('deployment.alias')} fieldId="alias">
        <TextInput
          id="alias"
          value={wish.alias}
          autoComplete="off"
          placeholder={t('create.alias.made')}
          onChange={(_, alias) => onWish({ ...wish, alias })}
        />
      </FormGroup>
    </>
  );
}

interface TextProps {
  text: string;
  fault: Fault | undefined;
  onText: (text: string) => void;
}

function Text({ text, fault, onText }: TextProps) {
  const t = useT();
  const told = fault && [
    ...(fault.line ? [t('create.yaml.line', { line: fault.line })] : []),
    t(FAULTS[fault.kind]),
    ...(fault.text ? [fault.text] : []),
  ];
  return (
    <FormGroup label={t('create.yaml')} fieldId="yaml">
      <TextArea
        id="yaml"
        className="mono"
        rows={14}
        spellCheck={false}
        value={text}
        validated={fault ? 'error' : 'default'}
        aria-describedby="yaml-note"
        onChange={(_, value) => onText(value)}
      />
      <p id="yaml-note" className={fault ? 'bad-text' : 'quiet'} role={fault ? 'alert' : undefined}>
        {told?.join(': ') ?? t('create.yaml.about')}
      </p>
    </FormGroup>
  );
}

function CreateForm({ template }: { template: Template }) {
  const t = useT();
  const rights = useRights();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [params, setParams] = useSearchParams();
  const [wish, setWish] = useState<Wish>(NOTHING);
  const asText = (of: Wish) => writeYaml(requestOf(template, spelledOut(template, of)));
  const [text, setText] = useState(() => asText(NOTHING));
  const sent = useRef<{ of: string; id: ReturnType<typeof mutation> }>(undefined);
  const create = useChange(Deployments.method.createDeployment, (answer) => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Deployments'] });
    void navigate(`/plans/${answer.planId}`);
  });
  const asYaml = params.get('as') === 'yaml';
  const read = asYaml ? readYaml(text) : undefined;
  const asked = read?.request;
  const request = asked ? plainOf(asked) : requestOf(template, read ? NOTHING : wish);
  const back = asked && wishOf(template, asked);
  const whyNot = () => {
    if (!rights.manages) return t('why.manager');
    if (read?.fault) return t('create.yaml.why');
    return request.name ? undefined : t('create.check.name');
  };
  const show = (as: 'fields' | 'yaml') => {
    if (as === 'yaml') setText(asText(wish));
    else if (back) setWish(back);
    setParams(
      (now) => {
        const next = new URLSearchParams(now);
        if (as === 'yaml') next.set('as', as);
        else next.delete('as');
        return next;
      },
      { replace: true },
    );
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (whyNot() || create.isPending) return;
    // A second press after a lost answer carries the same id and makes nothing twice; what was refused, or is
    // another request, has an id of its own.
    const of = hashKey([request]);
    const lost = create.error && refusalOf(create.error).retryable && sent.current?.of === of;
    if (!lost) sent.current = { of, id: mutation() };
    create.mutate({ ...request, mutation: sent.current?.id ?? mutation() });
  };
  const forms = (
    <ToggleGroup aria-label={t('create.as')} isCompact>
      <ToggleGroupItem
        text={t('create.fields')}
        isSelected={!asYaml}
        // What the fields have no place for is not thrown away: below it says why nothing is done.
        onChange={() => asYaml && back && show('fields')}
      />
      <ToggleGroupItem text="YAML" isSelected={asYaml} onChange={() => !asYaml && show('yaml')} />
    </ToggleGroup>
  );
  return (
    <div className="columns">
      <div className="half">
        <Card title={t('create.wish')} actions={forms}>
          <Form onSubmit={submit}>
            {asYaml ? (
              <Text text={text} fault={read?.fault} onText={setText} />
            ) : (
              <Fields template={template} wish={wish} onWish={setWish} />
            )}
            {read && !back ? (
              <p className="quiet">{t(asked ? 'create.yaml.more' : 'create.yaml.stays')}</p>
            ) : null}
            {create.error ? <Refused error={create.error} /> : null}
            <div className="actions">
              <ActionButton type="submit" isLoading={create.isPending} whyNot={whyNot()}>
                {t('create.go')}
              </ActionButton>
              <ApiRequest method={Deployments.method.createDeployment} input={request} />
            </div>
          </Form>
        </Card>
      </div>
      <div className="half">
        <Card title={t('create.check')}>
          {read?.fault ? (
            <Empty title={t('create.yaml.why')}>{t('create.check.about')}</Empty>
          ) : (
            <Check request={request} />
          )}
        </Card>
      </div>
    </div>
  );
}

function TemplateChoice({ templates, chosen }: { templates: Template[]; chosen: Template }) {
  const t = useT();
  const [params, setParams] = useSearchParams();
  return (
    <FormGroup label={t('create.template')} fieldId="template">
      <FormSelect
        id="template"
        value={chosen.id}
        onChange={(_, template) => setParams({ ...Object.fromEntries(params), template }, { replace: true })}
      >
        {templates.map((one) => (
          <FormSelectOption key={one.id} value={one.id} label={one.name || one.id} />
        ))}
      </FormSelect>
      <p className="quiet">{chosen.description}</p>
    </FormGroup>
  );
}

export default function CreateDeployment() {
  const t = useT();
  const [params] = useSearchParams();
  const templates = useCall(Templates.method.listTemplates, {});
  return (
    <>
      <PageHead title={t('create.title')} trail={[{ to: '/deployments', label: t('nav.deployments') }]} />
      <DataState query={templates}>
        {(data) => {
          const { templates } = data;
          const template = templates.find((one) => one.id === params.get('template')) ?? templates[0];
          if (!template) return <Empty title={t('create.noTemplate')} />;
          return (
            <>
              {templates.length > 1 && params.get('as') !== 'yaml' ? (
                <TemplateChoice templates={templates} chosen={template} />
              ) : null}
              <CreateForm template={template} />
            </>
          );
        }}
      </DataState>
    </>
  );
}

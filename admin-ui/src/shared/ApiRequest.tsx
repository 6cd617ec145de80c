// "Show API request": what a table, a page or a form asks its server, for those who script it.
import type { DescMessage, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf';
import { Button, FormSelect, FormSelectOption } from '@patternfly/react-core';
import CodeIcon from '@patternfly/react-icons/dist/esm/icons/code-icon';
import { useState } from 'react';
import { isOfMonitor } from '../api/as-command';
import { type AsRequest, asRequest } from '../api/as-request';
import { DEPLOYMENT } from '../api/serves';
import { useT } from '../i18n/i18n';
import { CodeDialog } from './CodeDialog';

interface Asked<I extends DescMessage, O extends DescMessage> {
  method: DescMethodUnary<I, O>;
  input: MessageInitShape<I>;
  /** Whose monitoring node answers it. */
  deployment?: string;
  /** What the command line is given, where it takes another form. */
  command?: MessageInitShape<I>;
}

/** One of several calls that are shown together. */
export interface ShownCall {
  /** What it does. */
  label: string;
  ofMonitor: boolean;
  as: () => AsRequest;
}

export function shownCall<I extends DescMessage, O extends DescMessage>(
  label: string,
  { method, input, deployment, command = input }: Asked<I, O>,
): ShownCall {
  return {
    label,
    ofMonitor: isOfMonitor(method),
    as: () => asRequest(method, input, window.location.host, deployment, DEPLOYMENT !== undefined, command),
  };
}

interface LookProps {
  /** Small, for the head of a table and beside other buttons. */
  plain?: boolean;
  /** Which of several on the page it is. */
  of?: string;
}

export function ApiRequest<I extends DescMessage, O extends DescMessage>({
  plain,
  of,
  ...asked
}: Asked<I, O> & LookProps) {
  return (
    <ApiRequests
      calls={[shownCall('', asked)]}
      {...(plain ? { plain } : {})}
      {...(of === undefined ? {} : { of })}
    />
  );
}

/** Where what it is in goes away when another dialog is opened. */
export function ApiRequestButton({ plain, of, onClick }: LookProps & { onClick: () => void }) {
  const t = useT();
  const name = of === undefined ? t('api.show') : `${t('api.show')}: ${of}`;
  return plain ? (
    <Button variant="plain" size="sm" icon={<CodeIcon />} aria-label={name} title={name} onClick={onClick} />
  ) : (
    <Button variant="secondary" onClick={onClick}>
      {name}
    </Button>
  );
}

/** Of a place that asks for several things. */
export function ApiRequests({ calls, ...look }: { calls: readonly ShownCall[] } & LookProps) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <ApiRequestButton {...look} onClick={() => setOpen(true)} />
      {open ? <ApiRequestDialog calls={calls} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

/** Of a menu's item, or of a button that is elsewhere. */
export function ApiRequestDialog({ calls, onClose }: { calls: readonly ShownCall[]; onClose: () => void }) {
  const t = useT();
  const [chosen, setChosen] = useState(0);
  const call = calls[chosen] ?? calls[0];
  if (!call) return null;
  const { cli, grpcurl, curl, secrets } = call.as();
  const forms = [
    ...(cli === undefined ? [] : [{ id: 'cli', label: t('api.cli'), text: cli }]),
    { id: 'grpcurl', label: 'grpcurl', text: grpcurl },
    ...(curl === undefined ? [] : [{ id: 'curl', label: 'curl', text: curl }]),
  ];
  const about = [
    DEPLOYMENT === undefined ? t('api.about') : t('api.about.deployment'),
    ...(cli === undefined ? [t(DEPLOYMENT === undefined ? 'api.noCli' : 'api.noCli.deployment')] : []),
    ...(cli !== undefined && call.ofMonitor ? [t('api.cli.monitor')] : []),
    ...(secrets ? [t('api.secrets')] : []),
  ];
  return (
    <CodeDialog
      title={t('api.title')}
      about={about.join(' ')}
      forms={forms}
      tools={
        calls.length > 1 ? (
          <FormSelect
            aria-label={t('api.which')}
            value={String(chosen)}
            onChange={(_, value) => setChosen(Number(value))}
          >
            {calls.map((one, at) => (
              <FormSelectOption key={one.label} value={String(at)} label={one.label} />
            ))}
          </FormSelect>
        ) : null
      }
      onClose={onClose}
    />
  );
}

// Asked before something is done. What cannot be undone is confirmed by typing its name.
import {
  Button,
  FormGroup,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  TextInput,
} from '@patternfly/react-core';
import { type ReactNode, useState } from 'react';
import { useT } from '../i18n/i18n';
import { ActionButton } from './ActionButton';
import { Refused } from './Refused';

interface ConfirmProps {
  title: string;
  action: string;
  /** To be typed; empty: nothing is. */
  name?: string;
  danger?: boolean;
  /** Why it cannot be done as things stand. */
  whyNot?: string | undefined;
  busy: boolean;
  error: unknown;
  extra?: ReactNode;
  /** The id of the form in it that the action sends: Enter in a field of it does, too. */
  form?: string;
  /** What is written in first, as a selector. */
  focus?: string | undefined;
  onConfirm: () => void;
  onClose: () => void;
  children: ReactNode;
}

export function Confirm(props: ConfirmProps) {
  const t = useT();
  const [typed, setTyped] = useState('');
  const matches = !props.name || typed === props.name;
  return (
    <Modal
      isOpen
      variant="small"
      onClose={props.onClose}
      aria-labelledby="confirm-title"
      {...(props.focus ? { elementToFocus: props.focus } : {})}
    >
      <ModalHeader
        title={props.title}
        labelId="confirm-title"
        {...(props.danger ? { titleIconVariant: 'warning' as const } : {})}
      />
      <ModalBody className="stack">
        <div>{props.children}</div>
        {props.name ? (
          <FormGroup label={t('confirm.type', { name: props.name })} fieldId="confirm-name">
            <TextInput
              id="confirm-name"
              value={typed}
              autoComplete="off"
              onChange={(_, value) => setTyped(value)}
            />
          </FormGroup>
        ) : null}
        {props.error ? <Refused error={props.error} /> : null}
      </ModalBody>
      <ModalFooter>
        <ActionButton
          variant={props.danger ? 'danger' : 'primary'}
          isLoading={props.busy}
          {...(props.form ? { type: 'submit' as const, form: props.form } : {})}
          whyNot={props.whyNot ?? (matches ? undefined : t('confirm.typeFirst'))}
          onClick={props.onConfirm}
        >
          {props.action}
        </ActionButton>
        <Button variant="link" onClick={props.onClose}>
          {t('close')}
        </Button>
        {props.extra}
      </ModalFooter>
    </Modal>
  );
}

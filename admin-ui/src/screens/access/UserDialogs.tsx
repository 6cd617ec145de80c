// What is asked for when a user is made or changed.
import { FormGroup, TextInput } from '@patternfly/react-core';
import { useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { SECRET } from '../../api/secrets';
import { type User, Users } from '../../generated/wharf/v1/users_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { RoleBoxes } from './RoleBoxes';

const SHORTEST_PASSWORD = 8;

interface DialogProps {
  onClose: () => void;
  onDone: () => void;
}

function Password({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const t = useT();
  return (
    <FormGroup label={t('password.new')} fieldId="new-password">
      <TextInput
        id="new-password"
        type="password"
        autoComplete="new-password"
        value={value}
        onChange={(_, next) => onChange(next)}
      />
    </FormGroup>
  );
}

export function CreateUser({ onClose, onDone }: DialogProps) {
  const t = useT();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [roles, setRoles] = useState<string[]>(['deployments_viewer']);
  const create = useChange(Users.method.createUser, () => {
    onDone();
    onClose();
  });
  const whyNot =
    username === ''
      ? t('user.nameFirst')
      : password.length < SHORTEST_PASSWORD
        ? t('password.short', { least: SHORTEST_PASSWORD })
        : roles.length === 0
          ? t('user.roleFirst')
          : undefined;
  return (
    <Confirm
      title={t('user.create')}
      action={t('create')}
      busy={create.isPending}
      error={create.error}
      whyNot={whyNot}
      extra={
        <ApiRequest plain method={Users.method.createUser} input={{ username, password: SECRET, roles }} />
      }
      onConfirm={() => create.mutate({ mutation: mutation(), username, password, roles })}
      onClose={onClose}
    >
      <div className="stack">
        <FormGroup label={t('login.user')} fieldId="new-username">
          <TextInput
            id="new-username"
            autoComplete="off"
            value={username}
            onChange={(_, next) => setUsername(next)}
          />
        </FormGroup>
        <Password value={password} onChange={setPassword} />
        <RoleBoxes chosen={roles} onChange={setRoles} />
      </div>
    </Confirm>
  );
}

export function SetRoles({ user, onClose, onDone }: DialogProps & { user: User }) {
  const t = useT();
  const [roles, setRoles] = useState<string[]>([...user.roles]);
  const set = useChange(Users.method.setRoles, () => {
    onDone();
    onClose();
  });
  const wish = { username: user.username, roles };
  return (
    <Confirm
      title={t('user.roles.of', { name: user.username })}
      action={t('save')}
      busy={set.isPending}
      error={set.error}
      whyNot={roles.length === 0 ? t('user.roleFirst') : undefined}
      extra={<ApiRequest plain method={Users.method.setRoles} input={wish} />}
      onConfirm={() => set.mutate({ ...wish, mutation: mutation(user.version) })}
      onClose={onClose}
    >
      <RoleBoxes chosen={roles} onChange={setRoles} />
    </Confirm>
  );
}

export function SetPassword({ user, onClose, onDone }: DialogProps & { user: User }) {
  const t = useT();
  const [password, setPassword] = useState('');
  const set = useChange(Users.method.setPassword, () => {
    onDone();
    onClose();
  });
  return (
    <Confirm
      title={t('user.password.of', { name: user.username })}
      action={t('save')}
      busy={set.isPending}
      error={set.error}
      whyNot={
        password.length < SHORTEST_PASSWORD ? t('password.short', { least: SHORTEST_PASSWORD }) : undefined
      }
      extra={
        <ApiRequest
          plain
          method={Users.method.setPassword}
          input={{ username: user.username, password: SECRET }}
        />
      }
      onConfirm={() => set.mutate({ mutation: mutation(user.version), username: user.username, password })}
      onClose={onClose}
    >
      <div className="stack">
        <p>{t('user.password.about')}</p>
        <Password value={password} onChange={setPassword} />
      </div>
    </Confirm>
  );
}

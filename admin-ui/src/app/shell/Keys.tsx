import { Modal, ModalBody, ModalHeader, Switch } from '@patternfly/react-core';
import { useState } from 'react';
import { useRights } from '../../api/session';
import { useT } from '../../i18n/i18n';
import { placesFor } from '../places';
import { lettersOn, switchLetters } from './shortcuts';

export function Keys({ onClose }: { onClose: () => void }) {
  const t = useT();
  const rights = useRights();
  const [on, setOn] = useState(lettersOn);
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="keys-title">
      <ModalHeader title={t('keys.title')} labelId="keys-title" />
      <ModalBody className="stack">
        <dl className="keys">
          <dt>
            <kbd>Ctrl</kbd> <kbd>K</kbd>
          </dt>
          <dd>{t('keys.palette')}</dd>
          {placesFor(rights)
            .flatMap((group) => group.places)
            .map((place) => [
              <dt key={`${place.path} key`}>
                <kbd>g</kbd> <kbd>{place.key}</kbd>
              </dt>,
              <dd key={place.path}>{t(place.label)}</dd>,
            ])}
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>{t('keys.title')}</dd>
        </dl>
        <Switch
          id="letters"
          label={t('keys.letters')}
          isChecked={on}
          onChange={(_, next) => {
            switchLetters(next);
            setOn(next);
          }}
        />
      </ModalBody>
    </Modal>
  );
}

// Where a zone is: by a press on the map, by degrees, and what people call the place.
import { Button, FormGroup, TextInput } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useMemo, useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { Allocators, type Zone } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequests, shownCall } from '../ApiRequest';
import { Confirm } from '../Confirm';
import { Loading } from '../DataState';
import { degreesOf, pairOf } from './degrees';
import './zones.css';

const WorldMap = lazy(() => import('../map/WorldMap'));

const FORM = 'zone-location';
const MAP = 220;

export function ZoneLocationDialog({ zone, onClose }: { zone: Zone; onClose: () => void }) {
  const t = useT();
  const queries = useQueryClient();
  const { location, locationVersion } = zone;
  const [latitude, setLatitude] = useState(String(location?.latitudeDegrees ?? ''));
  const [longitude, setLongitude] = useState(String(location?.longitudeDegrees ?? ''));
  const [place, setPlace] = useState(location?.place ?? '');
  const done = () => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Allocators'] });
    onClose();
  };
  const set = useChange(Allocators.method.setZoneLocation, done);
  const clear = useChange(Allocators.method.clearZoneLocation, done);

  const north = degreesOf(latitude, 90);
  const east = degreesOf(longitude, 180);
  const marks = useMemo(
    () =>
      north === undefined || east === undefined
        ? []
        : [{ id: 'here', latitude: north, longitude: east, radius: 0 }],
    [north, east],
  );
  const whyNot =
    north === undefined ? t('zones.why.latitude') : east === undefined ? t('zones.why.longitude') : undefined;
  const cleared = { zone: zone.name };
  const wish =
    north === undefined || east === undefined
      ? undefined
      : {
          zone: zone.name,
          location: { latitudeDegrees: north, longitudeDegrees: east, place: place.trim() },
        };
  const send = () => {
    if (wish && !set.isPending) set.mutate({ ...wish, mutation: mutation(locationVersion) });
  };
  const calls = [
    ...(wish
      ? [shownCall(t('zones.locate.do'), { method: Allocators.method.setZoneLocation, input: wish })]
      : []),
    ...(location
      ? [shownCall(t('zones.clear'), { method: Allocators.method.clearZoneLocation, input: cleared })]
      : []),
  ];
  const wrong = (text: string, degrees: number | undefined) =>
    text.trim() !== '' && degrees === undefined ? 'error' : 'default';

  return (
    <Confirm
      title={t('zones.locate', { zone: zone.name })}
      action={t('zones.locate.do')}
      form={FORM}
      focus="#zone-latitude"
      whyNot={whyNot}
      busy={set.isPending}
      error={set.error ?? clear.error}
      extra={
        <>
          {location ? (
            <Button
              variant="link"
              isDanger
              isLoading={clear.isPending}
              onClick={() => clear.mutate({ ...cleared, mutation: mutation(locationVersion) })}
            >
              {t('zones.clear')}
            </Button>
          ) : null}
          {calls.length > 0 ? <ApiRequests plain calls={calls} /> : null}
        </>
      }
      onConfirm={() => undefined}
      onClose={onClose}
    >
      <form
        id={FORM}
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <p>{t('zones.locate.about')}</p>
        <Suspense fallback={<Loading lines={6} />}>
          <WorldMap
            label={t('zones.map')}
            marks={marks}
            height={MAP}
            near={false}
            draw={() => <span className="zone-pin" />}
            onSpot={(spot) => {
              setLatitude(String(spot.latitude));
              setLongitude(String(spot.longitude));
            }}
          />
        </Suspense>
        <FormGroup label={t('zones.latitude')} fieldId="zone-latitude">
          <TextInput
            id="zone-latitude"
            inputMode="decimal"
            autoComplete="off"
            placeholder="37.5665"
            value={latitude}
            validated={wrong(latitude, north)}
            onChange={(_, text) => {
              const pair = pairOf(text);
              setLatitude(pair ? pair[0] : text);
              if (pair) setLongitude(pair[1]);
            }}
          />
        </FormGroup>
        <FormGroup label={t('zones.longitude')} fieldId="zone-longitude">
          <TextInput
            id="zone-longitude"
            inputMode="decimal"
            autoComplete="off"
            placeholder="126.978"
            value={longitude}
            validated={wrong(longitude, east)}
            onChange={(_, text) => setLongitude(text)}
          />
        </FormGroup>
        <FormGroup label={t('zones.place')} fieldId="zone-place">
          <TextInput
            id="zone-place"
            autoComplete="off"
            maxLength={60}
            value={place}
            onChange={(_, text) => setPlace(text)}
          />
        </FormGroup>
      </form>
    </Confirm>
  );
}

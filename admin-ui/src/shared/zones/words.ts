// Words of zones and where they are.
export const en = {
  'zones.all': 'Zones',
  'zones.clear': 'Take the location away',
  'zones.latitude': 'Latitude (degrees north, south is negative)',
  'zones.locate': 'Location of {zone}',
  'zones.locate.about':
    'Where the hosts of this zone are, for maps. Press the map, type degrees, or paste both into the first field.',
  'zones.locate.do': 'Set location',
  'zones.locate.of': 'Set the location of {zone}',
  'zones.location': 'Location',
  'zones.location.none': 'not given',
  'zones.longitude': 'Longitude (degrees east, west is negative)',
  'zones.map': 'Map to choose a place on',
  'zones.place': 'Place, for example a town',
  'zones.whole': 'Whole world',
  'zones.near': 'Around the zones',
  'zones.why.admin': 'Only a platform admin may say where zones are',
  'zones.why.latitude': 'The latitude is a number from -90 to 90',
  'zones.why.longitude': 'The longitude is a number from -180 to 180',
} as const;

export const ko: Record<keyof typeof en, string> = {
  'zones.all': '영역',
  'zones.clear': '위치 지우기',
  'zones.latitude': '위도(북위, 남위는 음수)',
  'zones.locate': '{zone}의 위치',
  'zones.locate.about':
    '이 영역의 호스트가 있는 곳으로, 지도에 쓰입니다. 지도를 누르거나 위도와 경도를 입력하세요. 첫 칸에 둘을 함께 붙여 넣어도 됩니다.',
  'zones.locate.do': '위치 저장',
  'zones.locate.of': '{zone} 위치 정하기',
  'zones.location': '위치',
  'zones.location.none': '정해지지 않음',
  'zones.longitude': '경도(동경, 서경은 음수)',
  'zones.map': '위치를 고르는 지도',
  'zones.place': '지명(예: 도시)',
  'zones.whole': '전 세계',
  'zones.near': '영역 주변',
  'zones.why.admin': '영역의 위치는 플랫폼 관리자만 정할 수 있습니다',
  'zones.why.latitude': '위도는 -90에서 90 사이의 수입니다',
  'zones.why.longitude': '경도는 -180에서 180 사이의 수입니다',
};

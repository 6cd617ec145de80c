export const en = {
  'data.lastSeen': 'The last one is of {at}, {age} ago.',
  'data.looking': 'Looking for the last one…',
  'data.missing': 'There is no data stream {stream}: nothing has written to it yet.',
  'data.never': 'There has not been any as far back as data is kept.',
  'data.none': 'Nothing in this span of time',
  'data.partial': 'This is not all of it',
  'data.partial.late': 'The search took too long and was ended.',
  'data.partial.shards': '{failed} of {total} parts of the storage did not answer.',
  'data.showThen': 'Show that time',
} as const;

export const ko: Record<keyof typeof en, string> = {
  'data.lastSeen': '마지막 데이터는 {at}, {age} 전입니다.',
  'data.looking': '마지막 데이터를 찾는 중…',
  'data.missing': '데이터 스트림 {stream}이(가) 없습니다. 아직 아무것도 기록되지 않았습니다.',
  'data.never': '보존 기간 안에 기록된 것이 없습니다.',
  'data.none': '이 기간에는 데이터가 없습니다',
  'data.partial': '전체 데이터가 아닙니다',
  'data.partial.late': '검색이 너무 오래 걸려 중단되었습니다.',
  'data.partial.shards': '저장소 {total}곳 중 {failed}곳이 응답하지 않았습니다.',
  'data.showThen': '그 시간대 보기',
};

export const en = {
  'findings.erring': 'Service',
  'findings.erring.hint': 'Its page has the requests that failed and what was logged around them.',
  'findings.erring.text':
    '{name} answers {share} of its requests with errors: {errors} of {requests} in 15 min',
  'findings.erring.although': 'although nothing is wrong with where it runs: {hosts}',
  'findings.more': '{count} more are not shown',
  'findings.pile': 'Placement',
  'findings.pile.hint': 'The map shows what lies there and how much memory it uses.',
  'findings.pile.host':
    'Containers pile up on host {name}: {containers} of {total}, the other hosts have {others} each',
  'findings.pile.show': 'Show the map',
  'findings.pile.zone':
    'Containers pile up in zone {name}: {containers} of {total}, as many hosts elsewhere have {others}',
  'findings.service.show': 'Show the service',
  'overview.alerts': 'Firing alerts',
  'overview.alerts.none': 'none fires',
  'overview.alerts.sub': 'newest: {summary}',
  'overview.lacks': 'The storage of the platform does not answer',
  'overview.lacks.about':
    'What is here comes from the directors. Services that answer errors, alerts and memory over time cannot be told until it answers again.',
  'zones.chart': 'Memory in use by zone',
  'zones.cut': '{shown} of {total} zones are shown',
  'zones.hosts.silent': '{hosts}, silent: {silent}',
  'zones.silent': '{silent} of {hosts} hosts are silent: they count with what they told last.',
  'zones.untold':
    '{missing} of {of} hosts have told nothing in the last minute of this span: the last sums lack them',
  'zones.untold.more': 'and of {count} more zones',
  'zones.untold.of': '{zone}: {missing}',
} as const;

export const ko: Record<keyof typeof en, string> = {
  'findings.erring': '서비스',
  'findings.erring.hint': '서비스 페이지에서 실패한 요청과 그 앞뒤 로그를 볼 수 있습니다.',
  'findings.erring.text':
    '{name}이(가) 요청의 {share}에 오류로 응답합니다. 15분 동안 {requests}건 중 {errors}건',
  'findings.erring.although': '실행 중인 호스트({hosts})에는 이상이 없습니다',
  'findings.more': '{count}건은 표시하지 않았습니다',
  'findings.pile': '배치',
  'findings.pile.hint': '지도에서 그곳의 컨테이너와 메모리 사용량을 볼 수 있습니다.',
  'findings.pile.host':
    '호스트 {name}에 컨테이너가 몰려 있습니다. 전체 {total}개 중 {containers}개, 다른 호스트는 평균 {others}개',
  'findings.pile.show': '지도 보기',
  'findings.pile.zone':
    '영역 {name}에 컨테이너가 몰려 있습니다. 전체 {total}개 중 {containers}개, 다른 곳의 같은 수의 호스트는 {others}개',
  'findings.service.show': '서비스 보기',
  'overview.alerts': '발생 중인 경보',
  'overview.alerts.none': '발생한 경보 없음',
  'overview.alerts.sub': '최근: {summary}',
  'overview.lacks': '플랫폼 저장소가 응답하지 않습니다',
  'overview.lacks.about':
    '여기 보이는 것은 디렉터가 제공합니다. 저장소가 다시 응답할 때까지 오류로 응답하는 서비스, 경보, 시간별 메모리는 알 수 없습니다.',
  'zones.chart': '영역별 사용 중인 메모리',
  'zones.cut': '영역 {total}개 중 {shown}개만 표시합니다',
  'zones.hosts.silent': '{hosts}, 응답 없음: {silent}',
  'zones.silent': '호스트 {hosts}개 중 {silent}개가 응답하지 않아 마지막으로 알린 값으로 계산합니다.',
  'zones.untold':
    '호스트 {of}개 중 {missing}개가 이 기간의 마지막 1분 동안 값을 보내지 않아 마지막 합계에서 빠졌습니다',
  'zones.untold.more': '외 영역 {count}개',
  'zones.untold.of': '{zone}: {missing}개',
};

export const en = {
  'chart.cursor': 'Arrow keys move the cursor, with Shift they mark a span, Enter shows it',
  'chart.asChart': 'Show as a chart',
  'chart.asTable': 'Show as a table',
  'chart.hide': 'Show all series',
  'chart.keys.cells': 'Arrow keys go through times and rows, with Shift they mark a span, Enter shows it',
  'chart.keys.data': 'Arrow keys go from one value to the next',
  'chart.last': 'last value',
  'chart.more': '{count} more',
  'chart.none': 'No values in this span of time',
  'chart.only': 'Show only {name}',
  'chart.previous': 'before',
  'chart.seriesOf': 'Series of {title}',
  'chart.time': 'Time',
  'chart.total': 'total',
} as const;

export const ko: Record<keyof typeof en, string> = {
  'chart.cursor': '화살표 키로 커서를 옮기고, Shift와 함께 누르면 구간을 표시하며, Enter로 그 구간을 봅니다',
  'chart.asChart': '차트로 보기',
  'chart.asTable': '표로 보기',
  'chart.hide': '모든 계열 보기',
  'chart.keys.cells':
    '화살표 키로 시각과 행을 옮겨 다니고, Shift와 함께 누르면 구간을 표시하며, Enter로 그 구간을 봅니다',
  'chart.keys.data': '화살표 키로 값을 하나씩 옮겨 다닙니다',
  'chart.last': '마지막 값',
  'chart.more': '{count}개 더',
  'chart.none': '이 기간에는 값이 없습니다',
  'chart.only': '{name}만 보기',
  'chart.previous': '이전',
  'chart.seriesOf': '{title}의 계열',
  'chart.time': '시각',
  'chart.total': '합계',
};

export const en = {
  'query.about':
    'What is asked of the storage, as Elasticsearch takes it. User and password are those of the deployment.',
  'query.plain': 'Query',
  'query.show': 'Show query',
  'query.title': 'Query',
} as const;

export const ko: Record<keyof typeof en, string> = {
  'query.about':
    '저장소에 보내는 질의를 Elasticsearch 형식으로 보여 줍니다. 사용자와 비밀번호는 해당 배포의 것입니다.',
  'query.plain': '질의',
  'query.show': '질의 보기',
  'query.title': '질의',
};

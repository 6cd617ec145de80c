// Words of choosing a thing by its name.
export const en = {
  'hostInput.found': 'Hosts found',
  'hostInput.more': '{count} more: write more of the name.',
} as const;

export const ko: Record<keyof typeof en, string> = {
  'hostInput.found': '찾은 호스트',
  'hostInput.more': '{count}개 더 있습니다. 이름을 더 입력하세요.',
};

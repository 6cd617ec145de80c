// A file that the browser keeps where downloads are kept.

export function saveFile(name: string, parts: readonly string[], type: string): void {
  const url = URL.createObjectURL(new Blob([...parts], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

export function saveCsv(name: string, parts: readonly string[]): void {
  // Without the mark at its beginning spreadsheets do not see that it is UTF-8.
  saveFile(name, ['\ufeff', ...parts], 'text/csv;charset=utf-8');
}

// Degrees as people type them. Pure.

/** Nothing: it is no number within the range. */
export function degreesOf(text: string, most: number): number | undefined {
  const trimmed = text.trim();
  if (!/^[+-]?\d{1,3}(\.\d+)?$/.test(trimmed)) return undefined;
  const degrees = Number(trimmed);
  return Math.abs(degrees) <= most ? degrees : undefined;
}

/** Latitude and longitude at once, as maps give them to be copied: `37.5665, 126.978`. */
export function pairOf(text: string): [latitude: string, longitude: string] | undefined {
  const found = /^\s*([+-]?\d{1,3}(?:\.\d+)?)(\s*[,;]\s*|\s+)([+-]?\d{1,3}(?:\.\d+)?)\s*$/.exec(text);
  const [, latitude, between, longitude] = found ?? [];
  // `37,5` is one number where a comma stands for the point.
  if (between === ',' && !text.includes('.')) return undefined;
  return latitude !== undefined && longitude !== undefined ? [latitude, longitude] : undefined;
}

/** What people call the place, and its degrees; nothing: it has no location. */
export function locationText(
  location: { latitudeDegrees?: number; longitudeDegrees?: number; place: string } | undefined,
): string | undefined {
  if (location?.latitudeDegrees === undefined || location.longitudeDegrees === undefined) return undefined;
  const degrees = `${location.latitudeDegrees}, ${location.longitudeDegrees}`;
  return location.place ? `${location.place} (${degrees})` : degrees;
}

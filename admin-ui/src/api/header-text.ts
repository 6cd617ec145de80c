/** Headers hold bytes, and `Headers` takes each as a letter: a text goes as its bytes of UTF-8. */
export function headerText(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** User and password as a header carries them; a name with a colon in it is nobody's. */
export function basic(username: string, password: string): string {
  return `Basic ${btoa(headerText(`${username}:${password}`))}`;
}

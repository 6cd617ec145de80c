/** Headers hold bytes, and `Headers` takes each as a letter: a text goes as its bytes of UTF-8. */
export function headerText(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

"""Makes an SVG of a terminal from text on standard input: picture.py TITLE > FILE.svg"""
import html
import sys

CHAR, LINE, PAD, BAR = 7.8, 18, 16, 34


def main(title):
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width = max(map(len, lines)) * CHAR + 2 * PAD
    height = len(lines) * LINE + 2 * PAD + BAR
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{html.escape(title)}">',
        f'<rect width="100%" height="100%" rx="8" fill="#151515"/>',
        f'<rect width="100%" height="{BAR}" rx="8" fill="#292929"/>',
        f'<text x="{PAD}" y="22" fill="#c7c7c7" font-family="monospace" font-size="13">{html.escape(title)}</text>',
    ]
    for number, line in enumerate(lines):
        colour = "#73bcf7" if number == 0 else "#e0e0e0"
        y = BAR + PAD + number * LINE + 12
        out.append(f'<text x="{PAD}" y="{y}" fill="{colour}" font-family="monospace" font-size="13" xml:space="preserve">{html.escape(line)}</text>')
    out.append("</svg>")
    print("\n".join(out))


main(sys.argv[1])

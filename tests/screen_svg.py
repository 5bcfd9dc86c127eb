#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a picture of a terminal: reads what `tmux capture-pane -e -N -p` prints, writes SVG.

The picture of README.md is that of the embedded store with `-o demo`:

    tmux new-session -d -s top -x 100 -y 24 'xsfs top'
    tmux capture-pane -e -N -p -t top | tests/screen_svg.py >contrib/xsfs-top.svg
"""
import re
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, BASE = 8.43, 18, 14
BACKGROUND, FOREGROUND = "#16191d", "#d5d8dc"
COLOURS = ["#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d5d8dc"]


def parse(line, style):
    """Yields runs of characters as (column, text, style); `style` lasts from line to line."""
    column = 0
    for codes, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", line):
        if text:
            yield column, text, dict(style)
            column += len(text)
            continue
        for code in map(int, (codes or "0").split(";")):
            if code == 0:
                style.clear()
            elif code in (1, 2, 4, 7):
                style[code] = True
            elif 30 <= code <= 37:
                style["colour"] = COLOURS[code - 30]
            elif code == 39:
                style.pop("colour", None)


def run_svg(row, column, text, style):
    """Returns the elements of one run: its background if it has one, and its text."""
    colour, background = style.get("colour", FOREGROUND), None
    if style.get(7):
        colour, background = BACKGROUND, colour
    x, y, width = column * WIDTH, row * HEIGHT, len(text) * WIDTH
    if background:
        size = f'width="{width:.1f}" height="{HEIGHT}"'
        yield f'<rect x="{x:.1f}" y="{y}" {size} fill="{background}" shape-rendering="crispEdges"/>'
    if text.strip():
        weight = ' font-weight="bold"' if style.get(1) else ""
        dim = ' opacity="0.6"' if style.get(2) else ""
        yield (
            f'<text x="{x:.1f}" y="{y + BASE}" textLength="{width:.1f}" fill="{colour}"{weight}{dim}>'
            f"{escape(text)}</text>"
        )


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    style, elements, columns = {}, [], 0
    for row, line in enumerate(lines):
        for column, text, of_run in parse(line, style):
            columns = max(columns, column + len(text))
            elements.extend(run_svg(row, column, text, of_run))
    width, height = columns * WIDTH + 16, len(lines) * HEIGHT + 16
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 {width:.0f} {height}">')
    print(f'<rect x="-8" y="-8" width="{width:.0f}" height="{height}" rx="6" fill="{BACKGROUND}"/>')
    print('<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">')
    print("\n".join(elements))
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()

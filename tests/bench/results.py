# SPDX-License-Identifier: MIT
"""Reads what the programs of `make bench` printed, and makes a table, JSON and pictures of it.

usage: results.py [--goals FILE] [--json FILE] [--plots DIR] RESULTS

A line of RESULTS is one round of one way, `WHAT OPERATION BYTES WAY RATE BASE` (bench.h). Ratios are taken round by
round, because whatever else the machine does falls on both, and the median of them is shown. Goals are ratios, too: to
libxenstore ("lib"), to the floor, which is fstatfs in the same way ("floor"), or to another build ("before")."""
import argparse
import json
import os
import statistics
import subprocess
import sys

BEFORE = 'before-'
TITLES = {
    'chan': 'channel, {operation} of {size} B',
    'mount': 'mount, {operation} of {size} B',
    'tree': 'tree of {size} nodes, {operation}',
    'inotify': 'inotify, {operation} of {size} at once',
    'growth': 'growth, {operation}: {size}',
}
BASES = {'tree': 'xenstore-ls -f'}
# Ways of a picture, from left to right; all others follow.
FIRST = ('lib-1', 'lib-8')


class Row:
    """One way of doing something, over all rounds."""

    def __init__(self, what, operation, size, way):
        self.what, self.operation, self.size, self.way = what, operation, size, way
        self.rates, self.ratios = [], []
        self.floor = self.before = None
        self.goals = []

    def add(self, rate, base):
        self.rates.append(rate)
        if base:
            self.ratios.append(rate / base)

    @property
    def rate(self):
        return statistics.median(self.rates)

    @property
    def ratio(self):
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def best(self):
        return max(self.ratios, default=None)

    def verdict(self, to, ratio):
        figure = {'lib': self.ratio, 'floor': self.floor, 'before': self.before}[to]
        if figure is None:
            return 'not measured'
        return 'reached' if figure >= ratio else 'missed'

    def document(self):
        found = {'what': self.what, 'operation': self.operation, 'size': self.size, 'way': self.way,
                 'rate': round(self.rate), 'rounds': len(self.rates)}
        for name in ('ratio', 'best', 'floor', 'before'):
            if getattr(self, name) is not None:
                found[name] = round(getattr(self, name), 3)
        if self.goals:
            found['goals'] = [{'to': to, 'ratio': ratio, 'verdict': self.verdict(to, ratio)} for to, ratio in self.goals]
        return found


def read_rows(lines):
    """Returns the rows in the order in which they were measured, and the comments."""
    rows, comments = {}, []
    for line in lines:
        if line.startswith('#'):
            comments.append(line[1:].strip())
            continue
        what, operation, size, way, rate, base = line.split()
        key = what, operation, int(size), way
        if key not in rows:
            rows[key] = Row(*key)
        rows[key].add(float(rate), float(base))
    return rows, comments


def compare(rows):
    """Sets each row's ratio to the floor and to the other build."""
    floors = {way: row.rate for (what, operation, _, way), row in rows.items() if (what, operation) == ('mount', 'fstatfs')}
    for (what, operation, size, way), row in rows.items():
        floor = floors.get(way.removeprefix(BEFORE))
        if what in ('mount', 'growth') and floor and not operation.startswith('wake-up'):
            row.floor = row.rate / floor
        before = rows.get((what, operation, size, BEFORE + way))
        if before and before.rate:
            row.before = row.rate / before.rate


def read_goals(path, rows):
    """Gives the rows their goals; returns those for which there is no row."""
    missing = []
    with open(path, encoding='utf-8') as file:
        for line in file:
            if not line.strip() or line.startswith('#'):
                continue
            what, operation, size, way, to, ratio = line.split()
            found = [row for row in rows.values()
                     if (row.what, row.operation, row.way) == (what, operation, way) and size in ('-', str(row.size))]
            for row in found:
                row.goals.append((to, float(ratio)))
            if not found:
                missing.append(f'{what} {operation} {size} {way}')
    return missing


def figure(value):
    return f'{value:.2f}x' if value is not None else '-'


def groups_of(rows):
    """The rows of each operation, in the order in which the operations were first measured."""
    groups = {}
    for row in rows:
        groups.setdefault((row.what, row.operation, row.size), []).append(row)
    return groups


def print_table(rows, comments):
    for (what, operation, size), members in groups_of(rows).items():
        title = TITLES[what].format(operation=operation, size=size)
        base = 'x ' + BASES.get(what, 'libxenstore')
        print(f'\n{title:<40} {base:>16} {"best":>9} {"x floor":>9} {"x before":>9} {"rate/s":>10}  goal')
        for row in members:
            goals = ', '.join(f'{ratio:g} x {to}: {row.verdict(to, ratio)}' for to, ratio in row.goals)
            print(f'  {row.way:<38} {figure(row.ratio):>16} {figure(row.best):>9} {figure(row.floor):>9} '
                  f'{figure(row.before):>9} {row.rate:>10.0f}  {goals}'.rstrip())
    if comments:
        print('\nLatency, and processor time of a request:')
        for comment in comments:
            print(f'  {comment}')


def plot_group(directory, group, rows):
    """A picture of one operation: a bar for each way, as a ratio to its base."""
    what, operation, size = group
    name = f'{what}-{operation}-{size}'.replace('/', '-')
    rows = sorted(rows, key=lambda row: (row.way not in FIRST,))
    data = '\n'.join(f'"{row.way}" {row.ratio or 0:.3f}' for row in rows)
    title = TITLES[what].format(operation=operation, size=size)
    script = f'''set terminal svg size 640,{120 + 24 * len(rows)} font "sans,12" background "white"
set output "{directory}/{name}.svg"
set title "{title}"
set xlabel "x {BASES.get(what, 'libxenstore')}"
set style fill solid 0.7
set yrange [{len(rows) - 0.4}:-0.6]
set xrange [0:*]
set grid xtics
unset key
$data << END
{data}
END
plot $data using (0):0:(0):2:($0 - 0.35):($0 + 0.35):ytic(1) with boxxyerror, \\
    $data using 2:0:(sprintf("  %.2f", $2)) with labels left
'''
    subprocess.run(['gnuplot', '-'], input=script, text=True, check=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split('usage: ')[1].split('\n', maxsplit=1)[0])
    parser.add_argument('--goals')
    parser.add_argument('--json')
    parser.add_argument('--plots')
    parser.add_argument('results')
    args = parser.parse_args()
    with open(args.results, encoding='utf-8') as file:
        rows, comments = read_rows(file)
    compare(rows)
    missing = read_goals(args.goals, rows) if args.goals else []
    shown = [row for row in rows.values() if not row.way.startswith(BEFORE)]
    print_table(shown, comments)
    if missing:
        print('\nNot measured, although there is a goal: ' + ', '.join(missing))
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump([row.document() for row in rows.values()], file, indent=1)
            file.write('\n')
    if args.plots:
        os.makedirs(args.plots, exist_ok=True)
        for group, members in groups_of(shown).items():
            plot_group(args.plots, group, members)


if __name__ == '__main__':
    sys.exit(main())

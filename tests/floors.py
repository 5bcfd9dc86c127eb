#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that includes point down, and that no files include each other in a circle.

A module is a .c file together with the header of its name.  The floors are listed below from the top
down; a file may include headers of its own floor and of those below.  Prints TAP: one assertion for
each floor, and one for circles.
"""
import os
import re
import sys

# From the top down.  A floor is a directory, without those below it that are floors themselves.
FLOORS = ["src", "src/top", "src/tools", "fs", "fs/inotify", "fs/special", "fs/node", "fs/events", "fs/op", "fs/model", "ring"]

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def sources(top):
    """Yields the path of each source file of the program, relative to `top`."""
    for floor in FLOORS:
        for name in sorted(os.listdir(os.path.join(top, floor))):
            if name.endswith((".c", ".h")):
                yield f"{floor}/{name}"


def includes(top):
    """Returns what each file includes of the program's own headers."""
    known = set(sources(top))
    found = {}
    for path in known:
        with open(os.path.join(top, path), encoding="utf-8") as file:
            found[path] = [name for name in INCLUDE.findall(file.read()) if name in known]
    return found


def floor_of(path):
    return FLOORS.index(os.path.dirname(path))


def upward(found):
    """Returns the includes that point up, as (file, header)."""
    return [
        (path, header)
        for path in sorted(found)
        for header in found[path]
        if floor_of(header) < floor_of(path)
    ]


def module_of(path):
    """Returns the module: the path without its ending; NAME_impl.h is the inside of NAME."""
    return os.path.splitext(path)[0].removesuffix("_impl")


def module_graph(found):
    graph = {}
    for path, headers in found.items():
        below = graph.setdefault(module_of(path), set())
        below.update(module_of(header) for header in headers)
    for module, below in graph.items():
        below.discard(module)
    return graph


def circles(graph):
    """Returns the strongly connected components of more than one module (Tarjan)."""
    index, low, stack, on_stack, result = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
                on_stack.discard(component[-1])
            if len(component) > 1:
                result.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return result


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    found = includes(top)
    up = upward(found)
    failed = False
    print(f"1..{len(FLOORS) + 1}")
    for number, floor in enumerate(FLOORS, 1):
        wrong = [f"{path} includes {header}" for path, header in up if os.path.dirname(path) == floor]
        print(f"{'not ok' if wrong else 'ok'} {number} - {floor}/ includes nothing above it")
        for line in wrong:
            print(f"# {line}")
        failed |= bool(wrong)
    rings = circles(module_graph(found))
    print(f"{'not ok' if rings else 'ok'} {len(FLOORS) + 1} - no files include each other in a circle")
    for ring in rings:
        print(f"# {len(ring)} files: {' '.join(ring)}")
    return 1 if failed or rings else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads metrics with the parser of Debian's python3-prometheus-client, which refuses what is not in order.

    openmetrics.py [--text] FILE

Prints the names of the families with their types. The text is OpenMetrics, with --text Prometheus's own
older form. Status 1 if a family has no help.
"""
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

parse = openmetrics_parser.text_fd_to_metric_families
if sys.argv[1] == "--text":
    parse = parser.text_fd_to_metric_families
with open(sys.argv[-1], encoding="utf-8") as file:
    for family in parse(file):
        if not family.documentation:
            sys.exit(f"{family.name} has no help")
        print(family.name, family.type)

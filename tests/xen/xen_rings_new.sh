#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same with Linux 6.6 or newer, which can bind the port that is there, and oxenstored.
. "${0%/*}/host.sh"
boots --pvh --store o --kernel new job_ring.sh job_ring_guest.sh job_ring_busy.sh job_ring_refused.sh "$XSLOOP"

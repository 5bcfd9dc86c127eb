#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same with Linux 6.12, which can bind the port that is there, and oxenstored.
. "${0%/*}/host.sh"
boots --pvh --store o --kernel 6.12 job_ring.sh job_ring_guest.sh job_ring_busy.sh job_ring_refused.sh "$XSLOOP"

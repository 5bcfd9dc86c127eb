#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# PV and PVH guests that own their rings, this release's Linux, xenstored. Debian 12's (6.1) cannot bind the port
# that is there already: the ring is looked at by timer, or gets a port of its own.
. "${0%/*}/host.sh"
boots --pvh --store c job_ring.sh job_ring_guest.sh job_ring_busy.sh job_ring_refused.sh "$XSLOOP"

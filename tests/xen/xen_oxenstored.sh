#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Domain 0 with oxenstored, and a PV guest with the usual kernel.
. "${0%/*}/host.sh"
boots --store o job_dom0.sh job_guest.sh job_saved.sh job_busy.sh

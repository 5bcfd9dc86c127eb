#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Domain 0 with xenstored, and a PV guest with the usual kernel.
. "${0%/*}/host.sh"
boots --store c job_dom0.sh job_guest.sh job_saved.sh job_busy.sh

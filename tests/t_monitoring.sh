#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The recipes of contrib/examples/monitoring, on the embedded store: node_exporter's file, as Prometheus itself reads
# it; the dashboard, whose queries have to name what there is; Ansible's facts.
. "${0%/*}/functions.sh"
. "${0%/*}/metrics.sh"
has_config HAVE_XEN || skip 'built without the Xen libraries'
requires_fuse
requires systemd-analyze
server_binary c >/dev/null || skip 'no xenstored (xen-utils)'

# The embedded store's socket is below this directory.
export TMPDIR=$SCRATCH/tmp
mkdir "$TMPDIR"
PATH=$BUILD/src:$PATH
recipes=$TEST_DIR/../contrib/examples/monitoring
file=$SCRATCH/xsfs.prom

# textfile ARGS...: runs the script.
textfile() {
	bounded python3 "$recipes/xsfs-textfile" "$@"
}

# has VALUE NAME [LABEL=VALUE]...: the file has that sample.
has() {
	is "$(sample "$file" "${@:2}")" "$1" "${*:2}"
}

mount_xsfs embedded
# shellcheck disable=SC2034 # xs reads it
SERVER_SOCKET=$(echo "$TMPDIR"/xsfs-embedded.*/socket)
first=$MNT
cat "$MNT/none" 2>/dev/null || true
mount_xsfs "socket:$SERVER_SOCKET" -o root=/local
second=$MNT

# --- node_exporter's file -------------------------------------------------------------------------

# A name that a label has to escape.
value=$'a "quoted"\\ na\nme'
printf %s "$value" >"$first/local/domain/2/name"
succeeds 'the file is written' textfile -o "$file" "$first" "$SCRATCH/nothing"
is "$(stat -c %a "$file") $(find "$SCRATCH" -maxdepth 1 -name 'tmp?*')" '644 ' 'for all to read, and nothing else'
like "$("$PYTHON" "$TEST_DIR/openmetrics.py" --text "$file" 2>&1)" \
	"xsfs_mount_up gauge*xsfs_mount_info gauge*xsfs_reconnects counter*xsfs_request_duration_seconds histogram*xsfs_transport unknown*xsfs_device_state gauge" \
	'a parser of the older form reads it'
if [[ -x $PROMTOOL ]]; then
	is "$("$PROMTOOL" check metrics <"$file" 2>&1)" '' 'promtool finds nothing to complain about'
	printf '# TYPE xsfs_x counter\nxsfs_x{ 1\n' >"$SCRATCH/bad"
	like "$("$PROMTOOL" check metrics <"$SCRATCH/bad" 2>&1 || true)" '*error*' 'where it would'
else
	skip_one 'promtool finds nothing to complain about' 'no promtool'
fi
has 1 xsfs_mount_up "mount=$first"
has 1 xsfs_store_up "mount=$first"
has 0 xsfs_mount_up "mount=$SCRATCH/nothing"
has 0 xsfs_store_up "mount=$SCRATCH/nothing"
has 1 xsfs_mount_info "mount=$first" transport=ring root=/
has 1 xsfs_connection_state "mount=$first" xsfs_connection_state=connected
has 0 xsfs_reconnects_total "mount=$first"
has 3 xsfs_domain_info "mount=$first"
has 1 xsfs_domain_info "mount=$first" domid=1 name=web type=pvh uuid=3f1c8a52-7d0e-4b6a-9e35-c2a4d81f0b67
has 1073741824 xsfs_domain_memory_target_bytes domid=1 name=web
has 3 xsfs_domain_devices domid=1
has 3 xsfs_domain_devices_connected domid=1
has 1 xsfs_device_state domid=1 device=vif/0 side=backend state=Connected
has none xsfs_device_state domid=1 device=vif/0 side=backend state=Closed
echo 6 >"$first/local/domain/0/backend/vif/1/0/state"
textfile -o "$file" "$first"
has 1 xsfs_device_state domid=1 device=vif/0 side=backend state=Closed
has 2 xsfs_domain_devices_connected domid=1
is "$("$PYTHON" -c 'import sys
from prometheus_client.parser import text_fd_to_metric_families as parse
print([s.labels["name"] for f in parse(open(sys.argv[1])) for s in f.samples
       if s.name == "xsfs_domain_info" and s.labels["domid"] == "2"] == [sys.argv[2]])' "$file" "$value")" True \
	'a name with quotation marks and two lines'

# Two mounts have their samples in the same families.
textfile "$first" "$second" >"$file"
like "$("$PYTHON" "$TEST_DIR/openmetrics.py" --text "$file" 2>&1)" "xsfs_mount_up gauge*xsfs_device_state gauge" 'two mounts'
[[ ! -x $PROMTOOL ]] || is "$("$PROMTOOL" check metrics <"$file" 2>&1)" '' 'promtool finds nothing there, either'
has 2 xsfs_mount_up
has 1 xsfs_mount_info "mount=$second" transport=socket root=/local

# What is there keeps to what can be had.
is "$(XSFS_MOUNT=$first textfile | grep -c '^xsfs_mount_up')" 1 'XSFS_MOUNT names the mount'
status=0
textfile -o "$SCRATCH/no/where" "$first" >/dev/null 2>&1 || status=$?
is "$status" 1 'it fails where it cannot write'
like "$(textfile --help)" 'usage: xsfs-textfile*MOUNT*--output FILE*' '--help'

# --- Grafana --------------------------------------------------------------------------------------

cat "$first/local/domain/1/name" >/dev/null
textfile "$first" >"$file"
# Names that have to be there, and rules with the queries, in which Grafana's variables have values.
bounded python3 "$TEST_DIR/programs/monitoring_rules.py" "$recipes/grafana-dashboard.json" "$file" \
	>"$SCRATCH/rules.yaml" 2>"$SCRATCH/unknown"
is "$(<"$SCRATCH/unknown")" '' 'every query names metrics that there are'
queries=$(grep -c 'record:' "$SCRATCH/rules.yaml")
is "$((queries >= 20))" 1 'there are queries'
if [[ -x $PROMTOOL ]]; then
	like "$("$PROMTOOL" check rules "$SCRATCH/rules.yaml" 2>&1)" "*SUCCESS: $queries rules found*" \
		'Prometheus understands the queries'
else
	skip_one 'Prometheus understands the queries' 'no promtool'
fi
is "$(python3 -c 'import json, sys
panels = json.load(open(sys.argv[1]))["panels"]
at = lambda p: p["gridPos"]
print(len({p["id"] for p in panels}) == len(panels),
      all(p["title"] and p["description"] for p in panels),
      [(a["title"], b["title"]) for a in panels for b in panels if a["id"] < b["id"]
       and at(a)["x"] < at(b)["x"] + at(b)["w"] and at(b)["x"] < at(a)["x"] + at(a)["w"]
       and at(a)["y"] < at(b)["y"] + at(b)["h"] and at(b)["y"] < at(a)["y"] + at(a)["h"]])' \
	"$recipes/grafana-dashboard.json")" 'True True []' 'its panels have a name and a place of their own'

# --- Ansible --------------------------------------------------------------------------------------

# fact QUERY: prints what that is in the fact, which is the object f.
fact() {
	bounded sh "$recipes/xen.fact" | python3 -c "import json, sys; f = json.load(sys.stdin); print($1)"
}
export XSFS_MOUNT=$first
is "$(fact "f['domid'], [d['name'] for d in f['domains'] if d['domid'] < 2]")" "0 ['Domain-0', 'web']" 'the domains'
is "$(fact "[d['backend_state'] for d in f['devices'] if d['name'] == 'web' and d['type'] == 'vif']")" "['Closed']" \
	'the devices'
is "$(XSFS_MOUNT=$SCRATCH fact f)" '{}' 'nothing is mounted: no facts'

# --- systemd --------------------------------------------------------------------------------------

# What the unit runs, but for where the script and the file are.
command=$(sed -n 's/^ExecStart=//p' "$recipes/xsfs-textfile.service")
like "$command" "/usr/local/bin/xsfs-textfile -o /var/lib/*.prom \$XSFS_MOUNTS" 'the unit runs it'
cp "$recipes"/xsfs-textfile.* "$SCRATCH"
sed -i 's,^ExecStart=[^ ]*,ExecStart=/bin/true,' "$SCRATCH/xsfs-textfile.service"
succeeds 'systemd understands the units' systemd-analyze verify --man=no "$SCRATCH/xsfs-textfile.timer"
MNT=$second umount_xsfs
MNT=$first
umount "$MNT"

# SPDX-License-Identifier: MIT
"""The queries of a dashboard as rules. Metrics in them that there are not go to standard error."""
import json
import re
import sys

dashboard = json.load(open(sys.argv[1]))
text = open(sys.argv[2]).read()
known = set(re.findall(r'^(xsfs_\w+)', text, re.M))
# Of what has not occurred there are no samples.
known |= set(re.findall(r'^# TYPE (xsfs_\w+)', text, re.M))
queries = [target['expr'] for panel in dashboard['panels'] for target in panel['targets']]
queries += [variable['query']['query'] for variable in dashboard['templating']['list'] if variable['type'] == 'query']
for query in queries:
    for name in re.findall(r'xsfs_\w+', query):
        if name not in known:
            print(name, file=sys.stderr)
print('groups: [{name: dashboard, rules: [')
for number, query in enumerate(q for q in queries if not q.startswith('label_values')):
    query = query.replace('$mount', '.*').replace('$__rate_interval', '1m')
    print(' {record: query%d, expr: %s},' % (number, json.dumps(query)))
print(']}]')

#!/usr/bin/env bash
# Several Ray nodes on this machine, as a cluster has them: a head without CPUs, a driver node, and workers.
#
#   cluster/local_nodes.sh --workers 2 --cpus 2 -- COMMAND...
#
# COMMAND finds the cluster in its environment (address, job API, token). When it ends, or this script does in whatever
# way, the nodes end with it, and no other Ray.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -d "$checkout/.venv/bin" ]; then export PATH="$checkout/.venv/bin:$PATH"; fi
export PYTHONPATH="$checkout${PYTHONPATH:+:$PYTHONPATH}"
exec python -P -m slam_ray.cluster.local.nodes "$@"

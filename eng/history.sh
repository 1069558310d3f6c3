#!/usr/bin/env bash
# Lets sessions write and read through replicas while servers fail, and checks everything they saw. Needs the .NET 10 SDK; the servers are installed when they
# are missing.
#   eng/history.sh --seconds 60 --least-reads 200000     the nightly run
#   eng/history.sh --seconds 20 --promote                with a standby that becomes the primary
#   eng/history.sh --seconds 60 --seed N                 the choices of an earlier run; it prints its seed
#   eng/history.sh cache --seconds 300 --least-reads 400000   with a query cache in Redis that fails, in two processes
#   eng/history.sh cache --sentinel --seconds 60         with a Redis that Sentinel fails over
# --help lists the rest. The exit status is 1 when a rule was broken or too few reads were checked.
set -euo pipefail
readonly repository=$(cd "$(dirname "$0")/.." && pwd)

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# Short runs spend most of their time in code that was just compiled.
export DOTNET_TieredPGO=0 DOTNET_TC_CallCountingDelayMs=0

"$repository/eng/install-servers.sh"

exec dotnet run --project "$repository/tests/EfScaling.History" -c Release -- "$@"

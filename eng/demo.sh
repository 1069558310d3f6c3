#!/usr/bin/env bash
# Runs the sample: sets up what is missing, starts a primary with two standbys and a Redis, loads a real graph and shows where reads and writes go.
# 'eng/demo.sh sharded' spreads the same feed over four shards.
# Needs the .NET 10 SDK; PostgreSQL and Redis are installed from the distribution when they are missing. Arguments go to the sample: eng/demo.sh --help.
# Safe to run again; no server is left running, whether the sample ends by itself or by Ctrl-C.
set -euo pipefail
readonly repository=$(cd "$(dirname "$0")/.." && pwd)

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep -qE '^(1[0-9]|[2-9][0-9])\.'; then
    cat >&2 <<MESSAGE
Install the .NET 10 SDK, then run this again:
  Debian, Ubuntu:  apt-get install dotnet-sdk-10.0 (Debian: from Microsoft's package source)
  Fedora:          dnf install dotnet-sdk-10.0
  macOS:           brew install dotnet
  elsewhere:       https://dotnet.microsoft.com/download
MESSAGE
    exit 1
fi

# Servers that the caller names, all of them, need no programs on this machine.
if [ -z "${EFSCALING_PRIMARY:-}" ] || [ -z "${EFSCALING_REDIS:-}" ]; then
    "$repository/eng/install-servers.sh"
fi

exec dotnet run --project "$repository/src/EfScaling.Sample" -c Release -- "$@"

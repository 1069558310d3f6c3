#!/usr/bin/env bash
# Runs the benchmarks and prints a table of figure, target, measured value and verdict. Needs the .NET 10 SDK; the servers are installed when they are missing.
#   eng/benchmarks.sh                        every question, more than half an hour on two cores
#   eng/benchmarks.sh --quick                shorter measurements, more than seven minutes
#   eng/benchmarks.sh NAME... [--quick]      some questions; a wrong name lists them
#   eng/benchmarks.sh --quick CachedQuery CacheDistance CacheInvalidation CacheStampede CacheOutage   the query cache
#   eng/benchmarks.sh bdn [ARGUMENTS]        the BenchmarkDotNet classes
# --output FILE says where the table goes; artifacts/benchmarks.md by default. The exit status is 1 when a target is missed.
set -euo pipefail
readonly repository=$(cd "$(dirname "$0")/.." && pwd)

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# Data on a disk, not in memory: commits that wait for it are part of the questions.
export EFSCALING_TEMP=${EFSCALING_TEMP:-/var/tmp}

"$repository/eng/install-servers.sh"

arguments=("$@")
names=0
output=0
skip=0
for argument in "$@"; do
    if [ "$skip" = 1 ]; then
        skip=0
        continue
    fi
    case $argument in
        --output) output=1 skip=1 ;;
        --*) ;;
        *) names=1 ;;
    esac
done

if [ "${1:-}" != bdn ]; then
    [ "$names" = 1 ] || arguments=(all "$@")
    if [ "$output" = 0 ]; then
        mkdir -p "$repository/artifacts"
        arguments+=(--output "$repository/artifacts/benchmarks.md")
    fi
fi

exec dotnet run --project "$repository/benchmarks/EfScaling.Benchmarks" -c Release -- "${arguments[@]}"

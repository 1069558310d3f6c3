#!/usr/bin/env bash
# Sets up, builds, tests and packs everything. Needs the .NET 10 SDK; the servers are installed when they are missing.
# The last line reads "N passed, N failed"; the exit status is 0 only when every step and every test succeeded.
set -euo pipefail
cd "$(dirname "$0")/.."

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
readonly configuration=Release
readonly results=artifacts/test-results

passed=0
failed=0
skipped=0

finish() {
    local status=$?
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        # A step before or after the tests broke: that must not read as success.
        failed=1
    fi
    [ "$skipped" -eq 0 ] || echo "$skipped skipped"
    echo "$passed passed, $failed failed"
}
trap finish EXIT

count() {
    sed -n "s/.*<assembly [^>]*\\b$2=\"\([0-9]*\)\".*/\1/p" "$1" | head -n 1
}

# Runs one project's tests, or those that further arguments choose, through its own executable, whose report has exact counts. Leaves report, output and status, which judge_tests reads.
run_tests() {
    local project=$1 run=$2 name status=0
    shift 2
    name=$(basename "$project" .csproj)
    rm -f "$results/$run".*
    dotnet "$(dirname "$project")/bin/$configuration/net10.0/$name.dll" -noLogo -noColor "$@" -xml "$results/$run.xml" >"$results/$run.log" 2>&1 || status=$?
    echo "$status" >"$results/$run.status"
}

# Shows what a run has left, and counts it.
judge_tests() {
    local run=$1 report=$results/$1.xml status
    echo "== $run"
    cat "$results/$run.log"
    status=$(cat "$results/$run.status")

    # Status 8 means that there are no tests, which is no failure; other ones are judged by the report.
    if [ ! -s "$report" ]; then
        echo "$run ended with status $status and wrote no report." >&2
        failed=$((failed + 1))
        return
    fi

    passed=$((passed + $(count "$report" passed | grep . || echo 0)))
    skipped=$((skipped + $(count "$report" skipped | grep . || echo 0)))
    local broken
    broken=$(($(count "$report" failed | grep . || echo 0) + $(count "$report" errors | grep . || echo 0)))
    if [ "$broken" -eq 0 ] && [ "$status" -ne 0 ] && [ "$status" -ne 8 ]; then
        echo "$run ended with status $status although no test failed." >&2
        broken=1
    fi
    failed=$((failed + broken))
}

# StackExchange.Redis stands outside the solution: not every registry has all that it needs, and the solution must build all the same.
build_stack_exchange_redis() {
    local project=tests/EfScaling.StackExchangeRedis.Tests/EfScaling.StackExchangeRedis.Tests.csproj
    local options=() log=artifacts/stack-exchange-redis-restore.log
    mkdir -p artifacts
    if dotnet restore "$project" --nologo --verbosity quiet >"$log" 2>&1; then
        echo "StackExchange.Redis: restored with all that it needs."
    else
        options=(-p:PruneMissingPackages=true)
        echo "StackExchange.Redis: a plain restore failed ($log); repeated without the missing packages, so it is compiled but cannot connect."
        grep -o 'error NU[0-9]*: [^.]*\.[^.]*\.' "$log" | sort -u || true
        dotnet restore "$project" --nologo --verbosity quiet "${options[@]}"
    fi
    dotnet build "$project" --configuration "$configuration" --no-restore --nologo --verbosity quiet -warnaserror "${options[@]}"
}

eng/install-servers.sh --tests
mkdir -p "$results"

dotnet build EfScaling.sln --configuration "$configuration" --nologo --verbosity quiet -warnaserror
build_stack_exchange_redis

# In several processes: EF refuses more than twenty combinations of capabilities in one, which no application has but these tests do. Two at a time: they wait for servers more than they compute.
integration=tests/EfScaling.IntegrationTests/EfScaling.IntegrationTests.csproj
run_tests "$integration" Sharding -namespace 'EfScaling.IntegrationTests.Sharding*' &
run_tests "$integration" Caching -namespace 'EfScaling.IntegrationTests.Caching*'
judge_tests Caching
run_tests "$integration" Replication -namespace- 'EfScaling.IntegrationTests.Caching*' -namespace- 'EfScaling.IntegrationTests.Sharding*'
judge_tests Replication
wait
judge_tests Sharding

for project in tests/*/*Tests.csproj; do
    if [ "$project" != "$integration" ]; then
        run=$(basename "$project" .csproj)
        run_tests "$project" "$run"
        judge_tests "$run"
    fi
done

rm -rf artifacts/packages
dotnet pack EfScaling.sln --configuration "$configuration" --no-build --nologo --verbosity quiet --output artifacts/packages
ls artifacts/packages

[ "$failed" -eq 0 ]

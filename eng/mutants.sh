#!/usr/bin/env bash
# Shows that checkers find planted bugs. For each patch of tests/mutants builds the extension with it, and the checker that the first line of the patch names must find it out:
# 'Run:' runs sessions with these faults until the history checker finds a violation, 'Test:' runs the integration tests of a class, of which one must fail. The unpatched extension must pass the
# same. Needs the .NET 10 SDK; the servers are installed when they are missing.
#   eng/mutants.sh                every mutant, half an hour on two busy cores
#   eng/mutants.sh NAME...        some of them
# --seconds N gives each run up to N seconds (30); --seed N makes the choices of every run repeatable.
# The exit status is 0 only if every patch applied and was found out, and the unpatched code broke no rule.
set -euo pipefail
cd "$(dirname "$0")/.."

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# Short runs spend most of their time in code that was just compiled.
export DOTNET_TieredPGO=0 DOTNET_TC_CallCountingDelayMs=0

readonly work=$PWD/artifacts/mutants
readonly runner=tests/EfScaling.History/bin/Release/net10.0
readonly tests=tests/EfScaling.IntegrationTests/bin/Release/net10.0
seconds=30
seed=$RANDOM
names=()
while [ $# -gt 0 ]; do
    case $1 in
        --seconds) seconds=$2; shift ;;
        --seed) seed=$2; shift ;;
        *) names+=("$1") ;;
    esac
    shift
done
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(basename -s .patch -a tests/mutants/*.patch)

run() {
    local folder=$1 log=$2
    shift 2
    dotnet "$folder/EfScaling.History.dll" --seed "$seed" --seconds "$seconds" "$@" >"$log" 2>&1 </dev/null
}

scenario() {
    sed -n '1s/^Run: //p' "../../tests/mutants/$1.patch"
}

class() {
    sed -n '1s/^Test: //p' "../../tests/mutants/$1.patch"
}

# The status is 0 if all tests of the class pass, and 1 if one fails.
run_tests() {
    EFSCALING_SEED=$seed dotnet "$1/EfScaling.IntegrationTests.dll" -noLogo -noColor -class "$3" >"$2" 2>&1 </dev/null
}

rules() {
    sed -n '/^Violations:/,/^[A-Z][A-Za-z]*:$/p' "$1" | sed -n 's/^ *\([0-9,]*\)  \([A-Za-z]*\)$/\2 \1/p' | paste -sd ' '
}

eng/install-servers.sh
rm -rf "$work"
mkdir -p "$work"
git ls-files -z -- src tests .editorconfig '*.props' '*.targets' eng README.md | xargs -0 cp --parents -t "$work"
cd "$work"
dotnet build tests/EfScaling.IntegrationTests --configuration Release --nologo --verbosity quiet -p:RunAnalyzers=false -clp:ErrorsOnly
cp -r src/EfScaling sources
rm -rf sources/bin sources/obj

failed=0
echo "Seed $seed"

# The runs of all patches, each once; a third of the time has to do.
while read -r arguments; do
    log=unpatched.log
    # shellcheck disable=SC2086
    if seconds=$((seconds / 3)) run "$runner" "$log" $arguments; then
        printf '%-30s passed: %s\n' "unpatched" "$arguments: $(head -n 1 "$log")"
    else
        printf '%-30s BROKEN with %s\n' unpatched "$arguments"
        cat "$log"
        failed=1
    fi
done < <(for name in "${names[@]}"; do scenario "$name"; done | sort -u)

while read -r class; do
    if run_tests "$tests" unpatched.log "$class"; then
        printf '%-30s passed: %s\n' "unpatched" "$class"
    else
        printf '%-30s BROKEN in %s\n' unpatched "$class"
        cat unpatched.log
        failed=1
    fi
done < <(for name in "${names[@]}"; do class "$name"; done | sort -u)

for name in "${names[@]}"; do
    # Only the sources: what was built stays, so that each build compiles one project.
    cp -r sources/. src/EfScaling/
    if ! patch --strip 1 --fuzz 0 --forward --batch --quiet <"../../tests/mutants/$name.patch"; then
        echo "The patch '$name' does not apply any more: write it again for the present sources." >&2
        exit 1
    fi

    dotnet build src/EfScaling --configuration Release --no-restore --nologo --verbosity quiet -p:TreatWarningsAsErrors=false -p:RunAnalyzers=false -clp:ErrorsOnly >/dev/null
    rm -rf "$name"
    if [ -n "$(class "$name")" ]; then
        cp -r "$tests" "$name"
        cp src/EfScaling/bin/Release/net10.0/EfScaling.dll "$name/"
        if ! run_tests "$name" "$name.log" "$(class "$name")" && grep -q 'Failed: [1-9]' "$name.log"; then
            printf '%-30s found out: %s\n' "$name" "$(grep -c '\[FAIL\]$' "$name.log") tests fail"
        else
            printf '%-30s NOT FOUND, see %s\n' "$name" "$work/$name.log"
            failed=1
        fi
        continue
    fi

    cp -r "$runner" "$name"
    cp src/EfScaling/bin/Release/net10.0/EfScaling.dll "$name/"
    # shellcheck disable=SC2046
    if run "$name" "$name.log" $(scenario "$name") --expect-violation; then
        printf '%-30s found out: %s\n' "$name" "$(rules "$name.log")"
    else
        printf '%-30s NOT FOUND, see %s\n' "$name" "$work/$name.log"
        failed=1
    fi
done

exit "$failed"

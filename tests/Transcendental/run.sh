#!/usr/bin/env bash
# usage: tests/Transcendental/run.sh [OPERANDS]
# Compares each transcendental function of the x87 unit with MPFR, for a million operands (a few minutes).
# Needs gcc and libmpfr-dev 4.2.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export KPROBETRACE_MPFR KPROBETRACE_MPFR_OPERANDS=${1:-1000000}
KPROBETRACE_MPFR=$(tests/Transcendental/build.sh)
dotnet test tests/Core.Tests -c Release --filter FullyQualifiedName~TranscendentalReferenceTests --logger 'console;verbosity=normal'

#!/usr/bin/env python3
"""Shows that the conformance rows test their rules: switches one rule off at a time and expects the row's tests to fail.

    tests/RulesOff/run.py [ROW...]

rules.tsv names, for each row, a file below src/Core, one piece of its code and what stands for it while the rule is off. Every rule
is tried in a copy of the repository: the library is built anew and the row's tests run against it, first with all rules on. Takes some
ten minutes. Ends with status 1 when a row still passes without its rule, or when a piece of code is no longer there.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ["dotnet", "build", "-c", "Release", "-v", "q", "--nologo", "-p:RunAnalyzers=false", "-p:TreatWarningsAsErrors=false",
         "-p:EnforceCodeStyleInBuild=false"]


def rules():
    """The table's lines: row, file, code, replacement."""
    for line in (HERE / "rules.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            row, file, code, *replacement = line.replace("\\n", "\n").split("\t")
            yield row, file, code, replacement[0] if replacement else ""


def run(command, folder):
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


class Copy:
    """A copy of the repository whose library is built again and again."""

    def __init__(self, folder):
        self.folder = folder
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in files.decode().rstrip("\0").split("\0"):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        self.tests = folder / "tests/Core.Tests"
        self.library = folder / "src/Core"
        self.require(run(BUILD, self.tests))

    def failures(self, *rows):
        """Names of the rows' tests that fail, and of all that ran."""
        result = run(["dotnet", "test", "-c", "Release", "--no-build", "--nologo",
                      "--filter", "|".join(f"FullyQualifiedName~.{row}" for row in rows),
                      "--logger", "console;verbosity=normal"], self.tests)
        names = re.findall(r"^\s+(Passed|Failed) \S*?\.(\w+)[ (]", result.stdout, re.M)
        return sorted({name for verdict, name in names if verdict == "Failed"}), {name for _, name in names}

    def without(self, row, file, code, replacement):
        """What fails while a piece of code is replaced."""
        path = self.library / file
        original = path.read_text()
        if original.count(code) != 1:
            return f"the code of its rule stands {original.count(code)} times in {file}: bring rules.tsv up to date"
        path.write_text(original.replace(code, replacement))
        try:
            self.require(run(BUILD, self.library))
            shutil.copy2(self.library / "bin/Release/net10.0/KprobeTrace.Core.dll", self.tests / "bin/Release/net10.0")
            failed, _ = self.failures(row)
            return "" if failed else f"still passes without its rule in {file}"
        finally:
            path.write_text(original)

    @staticmethod
    def require(result):
        if result.returncode:
            sys.exit("run.py: the build failed: " + next(iter(re.findall(r".*error.*", result.stdout)), result.stderr))


def main(wanted):
    known = {rule[0] for rule in rules()}
    if set(wanted) - known:
        wrong = " ".join(sorted(set(wanted) - known))
        sys.exit(__doc__ if {"-h", "--help"} & set(wanted) else f"run.py: no such row: {wrong}; rules.tsv has them")
    table = [rule for rule in rules() if not wanted or rule[0] in wanted]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        rows = sorted({rule[0] for rule in table})
        failed, ran = copy.failures(*rows)
        silent = [row for row in rows if not any(name.startswith(row) for name in ran)]
        if failed or silent:
            sys.exit(f"run.py: all rows must pass with all rules on; failed: {failed}, without tests: {silent}")
        for rule in table:
            problem = copy.without(*rule)
            bad += bool(problem)
            print(f"{rule[0]:<24} {problem or 'fails without its rule'}", flush=True)
    print(f"{len(table) - bad} of {len(table)} rules are tested by their rows")
    return 1 if bad or not table else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

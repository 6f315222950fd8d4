#!/usr/bin/env bash
# What writing two rows through Spectre.Console adds to the start of a tool: three programs, of which one writes them as our tools do, one in
# colour through the library, one as its table. Wall clock and CPU milliseconds of whole processes, medians and smallest of 21 interleaved runs.
#
#   bench/console.sh [--ready-to-run]   compiled ahead of time with that word, library included
#
# Prints whether the library stays within 5 ms of today's start; that it does not is why the tools write tables by themselves.
set -euo pipefail
needs_qemu=0
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

settings='using Spectre.Console; var c = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.Yes, ColorSystem = ColorSystemSupport.Standard, Out = new AnsiConsoleOutput(Console.Out) });'
rows='new[] { ("open", "12"), ("fork", "3") }'
plain="foreach ((string a, string b) in $rows) { Console.WriteLine(\$\"  \\x1b[1m{a.PadRight(8)}\\x1b[0m {b.PadLeft(6)}\"); }"
colour="$settings foreach ((string a, string b) in $rows) { c.Write(new Text(\$\"  {a.PadRight(8)} {b.PadLeft(6)}\\n\", new Style(decoration: Decoration.Bold))); }"
table="$settings var t = new Table().Border(TableBorder.None).AddColumn(\"probe\").AddColumn(new TableColumn(\"hits\").RightAligned()); foreach ((string a, string b) in $rows) { t.AddRow(a, b); } c.Write(t);"

ahead=()
[[ ${1:-} != --ready-to-run ]] || ahead=(-r linux-x64 --self-contained false -p:PublishReadyToRun=true)
for program in plain colour table; do
  mkdir "$scratch/$program"
  cat > "$scratch/$program/$program.csproj" << 'PROJECT'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <InvariantGlobalization>true</InvariantGlobalization>
  </PropertyGroup>
  <ItemGroup><PackageReference Include="Spectre.Console" Version="0.57.2" /></ItemGroup>
</Project>
PROJECT
  echo "${!program}" > "$scratch/$program/Program.cs"
  dotnet publish "$scratch/$program" -c Release -o "$scratch/out-$program" -v quiet --nologo "${ahead[@]}" || die "cannot build the program '$program'"
done

for round in $(seq 21); do
  for program in plain colour table; do
    TIMEFORMAT='%R %U %S'
    { time dotnet exec "$scratch/out-$program/$program.dll" > /dev/null; } 2>> "$scratch/$program.times"
  done
done

# Medians of wall clock and CPU, in milliseconds.
median() { awk -v f="$2" '{ print 1000 * (f == "wall" ? $1 : $2 + $3) }' "$scratch/$1.times" | sort -n | sed -n 11p; }
for program in plain colour table; do
  printf '  %-8s %8.1f ms of wall clock, %8.1f of CPU\n' "$program" "$(median "$program" wall)" "$(median "$program" cpu)"
done
base=$(median plain cpu)
bar "colour - plain, CPU ms" "$(awk -v a="$(median colour cpu)" -v b="$base" 'BEGIN { print a - b }')" at-most 5
bar "table - plain, CPU ms" "$(awk -v a="$(median table cpu)" -v b="$base" 'BEGIN { print a - b }')" at-most 5
exit $(( misses > 0 ))

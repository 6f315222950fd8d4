using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>The completion scripts in the shells they are for.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ProgramFact("bash")]
    public void Bash_completes_verbs_options_values_and_files()
    {
        string[] answers = Run("bash", "--norc", """
            dotnet() { command dotnet "$TOOL" "${@:2}"; }
            _other() { COMPREPLY=(other); }
            complete -F _other dotnet
            eval "$(dotnet kprobe-report completion bash)"
            eval "$(dotnet kprobe-report completion bash)"
            complete -p kprobe-report dotnet | grep -c kprobe
            complete_line() {
                COMP_LINE="$1"; COMP_POINT=${#1}; COMPREPLY=()
                read -ra COMP_WORDS <<< "$1"
                [[ "$1" == *' ' ]] && COMP_WORDS+=("")
                COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
                "$2" dotnet
                echo "${COMPREPLY[*]}"
            }
            complete_line "dotnet kprobe-report " _kprobe_dotnet
            complete_line "dotnet kprobe-report ev" _kprobe_dotnet
            complete_line "kprobe-report ev" _kprobe_report
            complete_line "dotnet kprobe-report event" _kprobe_dotnet
            complete_line "dotnet kprobe-report events --pr" _kprobe_dotnet
            complete_line "dotnet kprobe-report diff --" _kprobe_dotnet
            complete_line "dotnet kprobe-report events x.mpk --ns --cpu 1 --pr" _kprobe_dotnet
            complete_line "dotnet kprobe-report events x.mpk --kind " _kprobe_dotnet
            complete_line "dotnet kprobe-report events some" _kprobe_dotnet
            complete_line "dotnet bui" _kprobe_dotnet
            """);

        Assert.Equal(
            [
                "2", "add before check completion diff events export hist html latency query stacks who", "events", "events", "events", "--probe",
                "--context --counts --format --help --ignore --limit --run-a --run-b", "--probe", "fault post pre ret", "some-trace.mpk", "other",
            ],
            answers);
    }

    [ProgramFact("zsh")]
    public void Zsh_completes_verbs_options_values_and_files_on_its_command_line()
    {
        // A second zsh on a pseudo-terminal is typed at; ^P makes it print its command line.
        string[] answers = Run("zsh", "-f", """
            zmodload zsh/zpty
            zpty z zsh -f -i
            zpty -w z 'PS1= ; stty -echo; autoload -Uz compinit; compinit -D -u
              dotnet() { command dotnet "$TOOL" "${@[2,-1]}" }
              eval "$(dotnet kprobe-report completion zsh)"
              show() { print -r -- "LINE=[$BUFFER]"END; BUFFER= }; zle -N show; bindkey "^P" show; print RE""ADY'
            zpty -r -m z out '*READY*'
            for line in "dotnet kprobe-report ev" "dotnet kprobe-report events --pr" \
                "dotnet kprobe-report events x --ns --cpu 1 --pr" "dotnet kprobe-report export x --to cl" "dotnet kprobe-report events some"; do
                zpty -n -w z "$line"$'\t'$'\x10'
                zpty -r -m z out '*LINE=*END*'
                print -r -- "${${out##*LINE=\[}%%\]END*}"
            done
            zpty -d z
            """);

        Assert.Equal(
            [
                "dotnet kprobe-report events ", "dotnet kprobe-report events --probe ",
                "dotnet kprobe-report events x --ns --cpu 1 --probe ", "dotnet kprobe-report export x --to clickhouse ",
                "dotnet kprobe-report events some-trace.mpk ",
            ],
            answers);
    }

    [ProgramFact("fish")]
    public void Fish_completes_verbs_options_values_and_files()
    {
        string[] answers = Run("fish", "--no-config", """
            function dotnet
                command dotnet $TOOL $argv[2..-1]
            end
            dotnet kprobe-report completion fish | source
            for line in "dotnet kprobe-report e" "dotnet kprobe-report events --pr" "dotnet kprobe-report events x --ns --cpu 1 --pr" "dotnet kprobe-report export x --to cl" "dotnet kprobe-report events some"
                echo (complete -C "$line")
            end
            """);

        Assert.Equal(["events export", "--probe", "--probe", "clickhouse", "some-trace.mpk"], answers);
    }

    private string[] Run(string shell, string option, string script)
    {
        File.WriteAllText(_folder["script"], script);
        File.WriteAllText(_folder["some-trace.mpk"], "");
        string output = ProgramFactAttribute.Run(
            "timeout", "120", "env", "--chdir=" + Path.GetDirectoryName(_folder["script"]), "TERM=dumb",
            "TOOL=" + Path.Combine(AppContext.BaseDirectory, "kprobe-report.dll"), shell, option, "script");
        return output.TrimEnd('\n').Split('\n');
    }
}

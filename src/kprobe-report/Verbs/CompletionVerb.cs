using System.CommandLine;
using KprobeTrace.Queries;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>completion</c>: a script that teaches a shell the verbs and options.</summary>
/// <remarks>The script asks the tool itself, through System.CommandLine's <c>[suggest]</c> directive.</remarks>
internal static class CompletionVerb
{
    private const string Bash = """
        # bash completion for kprobe-report; put this line into ~/.bashrc:
        #   eval "$(dotnet kprobe-report completion bash)"
        _kprobe_report() {
            local line="${COMP_LINE#*kprobe-report}" point IFS=$'\n'
            point=$(( COMP_POINT - ${#COMP_LINE} + ${#line} ))
            line="${line# }"; point=$(( point - 1 )); (( point < 0 )) && point=0
            COMPREPLY=( $(compgen -W "$(dotnet kprobe-report "[suggest:$point]" "$line" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}") )
            [[ ${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=( $(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") )
        }
        complete -o filenames -F _kprobe_report kprobe-report
        _kprobe_dotnet() {
            [[ "${COMP_WORDS[1]}" == kprobe-report ]] && { _kprobe_report; return; }
            COMPREPLY=( $(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") )
        }
        complete -o filenames -F _kprobe_dotnet dotnet

        """;

    private const string Zsh = """
        # zsh completion for kprobe-report; put these lines into ~/.zshrc:
        #   autoload -U bashcompinit && bashcompinit
        #   eval "$(dotnet kprobe-report completion zsh)"
        autoload -U +X bashcompinit && bashcompinit

        """;

    internal static Command Create(ReportConsole console)
    {
        Argument<string> shell = new("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        Command command = new("completion", SharedOptions.Describe(
            "Prints a script that completes verbs and options in a shell.",
            "completion bash"))
        {
            shell,
        };
        command.SetAction(result =>
        {
            using Utf8Output output = console.Results();
            output.Write(result.GetRequiredValue(shell) switch
            {
                "bash" => Bash,
                "zsh" => Zsh + Bash,
                _ => Fish,
            });
            return (int)ExitCode.Success;
        });
        return command;
    }

    private const string Fish = """
        # fish completion for kprobe-report; put this line into ~/.config/fish/config.fish:
        #   dotnet kprobe-report completion fish | source
        function __kprobe_report
            set -l words (commandline -opc) (commandline -ct)
            while test (count $words) -gt 0; and test $words[1] != kprobe-report
                set -e words[1]
            end
            set -l line (string join ' ' $words[2..-1])
            dotnet kprobe-report "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c kprobe-report -a '(__kprobe_report)'
        complete -c dotnet -n 'contains kprobe-report (commandline -opc)' -a '(__kprobe_report)'

        """;
}

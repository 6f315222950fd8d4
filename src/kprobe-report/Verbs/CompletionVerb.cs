using System.CommandLine;
using KprobeTrace.Queries;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>completion</c>: a script that teaches a shell the verbs and options.</summary>
/// <remarks>The script asks the tool itself, through the <c>[suggest]</c> directive (<see cref="LineCompletion"/>).</remarks>
internal static class CompletionVerb
{
    private const string Bash = """
        # bash completion for kprobe-report; put this line into ~/.bashrc:
        #   eval "$(dotnet kprobe-report completion bash)"
        _kprobe_report() {
            local word="${COMP_WORDS[COMP_CWORD]}" line="${COMP_LINE:0:COMP_POINT}" IFS=$'\n' found
            line="${line#*kprobe-report}"
            line="${line# }"
            found="$(dotnet kprobe-report "[suggest:${#line}]" "$line" 2>/dev/null)"
            # Where the tool knows no word, files.
            COMPREPLY=( $(compgen -W "$found" -- "$word") )
            [[ ${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=( $(compgen -f -- "$word") )
        }
        complete -o filenames -F _kprobe_report kprobe-report
        # What completed dotnet before goes on doing so for everything else.
        [[ "$(complete -p dotnet 2>/dev/null)" == *_kprobe_dotnet* ]] ||
            _kprobe_dotnet_before="$(complete -p dotnet 2>/dev/null | sed -n 's/.*-F \([^ ]*\).*/\1/p')"
        _kprobe_dotnet() {
            if [[ "${COMP_WORDS[1]}" == kprobe-report && COMP_CWORD -gt 1 ]]; then
                _kprobe_report
            elif [[ -n "$_kprobe_dotnet_before" ]]; then
                "$_kprobe_dotnet_before" "$@"
            else
                COMPREPLY=( $(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") )
            fi
        }
        complete -o filenames -F _kprobe_dotnet dotnet

        """;

    private const string Zsh = """
        # zsh completion for kprobe-report; put these lines into ~/.zshrc, behind compinit:
        #   autoload -Uz compinit && compinit
        #   eval "$(dotnet kprobe-report completion zsh)"
        _kprobe_report() {
            local at=${words[(i)kprobe-report]}
            local line="${(j: :)words[at+1,CURRENT-1]}"
            line="${line:+$line }$PREFIX"
            local -a found
            found=( ${(f)"$(dotnet kprobe-report "[suggest:${#line}]" "$line" 2>/dev/null)"} )
            # Where the tool knows no word, files.
            compadd -a found || _files
        }
        compdef _kprobe_report kprobe-report
        # What completed dotnet before goes on doing so for everything else.
        [[ "${_comps[dotnet]}" == _kprobe_dotnet ]] || _kprobe_dotnet_before="${_comps[dotnet]:-_files}"
        _kprobe_dotnet() {
            if [[ "${words[2]}" == kprobe-report && CURRENT -gt 2 ]]; then
                _kprobe_report
            else
                "$_kprobe_dotnet_before" "$@"
            fi
        }
        compdef _kprobe_dotnet dotnet

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
                "zsh" => Zsh,
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
            while test (count $words) -gt 0; and test "$words[1]" != kprobe-report
                set -e words[1]
            end
            set -l line (string join ' ' -- $words[2..-1])
            dotnet kprobe-report "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c kprobe-report -a '(__kprobe_report)'
        complete -c dotnet -n 'contains kprobe-report (commandline -opc)' -a '(__kprobe_report)'

        """;
}

using System.Diagnostics;

namespace EfScaling.Testing.Processes;

/// <summary>A small shell that ends the servers of one folder and removes it when this process dies without doing so.</summary>
/// <remarks>It waits on a pipe whose other end only this process holds; the system closes that end however the process dies.</remarks>
internal sealed class Watchdog : IDisposable
{
    // Signals of the terminal reach the whole group; the shell must outlive them.
    // A pid counts only while its process works in the folder or was started with a path in it.
    private const string Script =
        """
        exec >/dev/null 2>&1
        trap '' INT TERM HUP
        runs() {
            kill -0 "$1" || return 1
            case "$(cat "/proc/$1/stat")" in *') Z '*) return 1 ;; esac
        }
        cat
        [ -d "$1" ] || exit 0
        for file in "$1"/*.pid; do
            [ -r "$file" ] || continue
            pid=$(cat "$file")
            case "$(readlink "/proc/$pid/cwd" || ps -o command= -p "$pid")/" in *"$1/"*) ;; *) continue ;; esac
            children=$(cat "/proc/$pid/task/$pid/children" || pgrep -P "$pid")
            kill -CONT "$pid" $children
            kill -QUIT "$pid"
            tries=0
            while runs "$pid" && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
            [ "$tries" -lt 50 ] || kill -KILL "$pid" $children
        done
        rm -rf "$1"
        """;

    private readonly Process _shell;

    public Watchdog(string folder)
    {
        var start = CommandLine.Describe("/bin/sh", ["-c", Script, "efscaling-watchdog", folder], new CommandSettings());
        start.RedirectStandardInput = true;
        _shell = Process.Start(start)!;
    }

    public int Id => _shell.Id;

    /// <summary>Lets the shell go; it cleans a folder that is still there.</summary>
    public void Dispose()
    {
        _shell.StandardInput.Close();
        _shell.Dispose();
    }
}

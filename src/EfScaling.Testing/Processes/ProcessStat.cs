using System.Globalization;

namespace EfScaling.Testing.Processes;

/// <summary>What is needed from <c>/proc/PID/stat</c> (proc(5)).</summary>
/// <param name="Name">File name of the program, at most 15 characters.</param>
/// <param name="State">One letter; <c>Z</c> has ended, <c>T</c> is stopped.</param>
/// <param name="Parent">Id of the parent process.</param>
/// <param name="StartTime">Clock ticks between boot and start.</param>
internal sealed record ProcessStat(string Name, char State, int Parent, string StartTime)
{
    public static ProcessStat? Parse(string text)
    {
        // The name is in brackets and may itself hold spaces and brackets.
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var close = text.LastIndexOf(')');
        if (open < 0 || close < open)
        {
            return null;
        }

        var fields = text[(close + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length < 20
            ? null
            : new ProcessStat(text[(open + 1)..close], fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture), fields[19]);
    }
}

using System.Globalization;

namespace EfScaling.Sample;

/// <summary>What the command line asks for.</summary>
internal sealed record SampleOptions
{
    public const string Usage =
        """
        A social feed on one PostgreSQL primary, its replicas and a cache in Redis, read and written by plain EF Core.

        Usage: EfScaling.Sample [sharded] [options]

          sharded          The same feed over four shards by user, each with a replica, and the accounts in a database of
                           their own: feed, search and statistics across all shards, and likes that write two. Prints
                           what each shard did, latencies and plans. Servers need max_prepared_transactions.
          --once           Run the load once, print the table and exit: 0 if every check holds, 1 otherwise.
                           Without it the load goes on with a live table until Ctrl-C.
          --seconds N      Length of the load, 1 to 3600. Default 15. The comparisons, with replicas alone and with the
                           primary alone, add half of it each.
          --workers N      Visitors at the same time, 1 to 100. Default 8.
          --lag MS         How much later the last standby shows each commit, 0 to 2000 milliseconds. Default 100, so that the
                           checks have something to catch. Only for the servers that this program starts.
          --json FILE      Also write every number of the table to FILE.
          --help           Show this text.

        Servers: without settings, a primary with two standbys and a Redis are started on this machine and removed at the end. To
        use servers of your own, set EFSCALING_PRIMARY and EFSCALING_REPLICA_1, EFSCALING_REPLICA_2, ... to Npgsql connection
        strings; the schema 'efscaling_sample' of that database is dropped and created again, for shards the databases
        'efscaling_sample_s0' to '..._s3' and '..._accounts'. Set EFSCALING_REDIS to a
        configuration such as 'cache1:6379,password=...' for a Redis of your own.
        """;

    /// <summary>Gets how long the load runs.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Gets how many visitors act at the same time.</summary>
    public int Workers { get; init; } = 8;

    /// <summary>Gets how much later the last standby shows each commit; <see langword="null"/> if nothing was said.</summary>
    public TimeSpan? Lag { get; init; }

    /// <summary>Gets whether the program ends after the table.</summary>
    public bool Once { get; init; }

    /// <summary>Gets the file for the numbers; <see langword="null"/> for none.</summary>
    public string? JsonFile { get; init; }

    /// <summary>Gets whether the feed is spread over shards.</summary>
    public bool Sharded { get; init; }

    /// <summary>Gets whether only the usage is shown.</summary>
    public bool Help { get; init; }

    /// <summary>Reads the command line.</summary>
    /// <exception cref="SampleException">An argument is unknown, incomplete or out of range.</exception>
    public static SampleOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new SampleOptions();
        for (var i = 0; i < arguments.Count; i++)
        {
            options = arguments[i] switch
            {
                "sharded" when i == 0 => options with { Sharded = true },
                "--once" => options with { Once = true },
                "--seconds" => options with { Duration = TimeSpan.FromSeconds(Number(arguments, ref i, 1, 3_600)) },
                "--workers" => options with { Workers = Number(arguments, ref i, 1, 100) },
                "--lag" => options with { Lag = TimeSpan.FromMilliseconds(Number(arguments, ref i, 0, 2_000)) },
                "--json" => options with { JsonFile = WritableFile(arguments, ref i) },
                "--help" or "-h" => options with { Help = true },
                var unknown => throw new SampleException($"Unknown argument '{unknown}'. Call with --help to see all options."),
            };
        }

        return options;
    }

    private static int Number(IReadOnlyList<string> arguments, ref int i, int min, int max)
    {
        var name = arguments[i];
        var text = Value(arguments, ref i);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : throw new SampleException($"{name} was given '{text}'. Give a whole number from {min} to {max}.");
    }

    // Found out now rather than after the load has run.
    private static string WritableFile(IReadOnlyList<string> arguments, ref int i)
    {
        var file = Path.GetFullPath(Value(arguments, ref i));
        return Directory.Exists(file) || !Directory.Exists(Path.GetDirectoryName(file))
            ? throw new SampleException($"--json was given '{file}', which cannot be written. Name a file in a folder that exists.")
            : file;
    }

    private static string Value(IReadOnlyList<string> arguments, ref int i) =>
        i + 1 < arguments.Count && !arguments[i + 1].StartsWith("--", StringComparison.Ordinal)
            ? arguments[++i]
            : throw new SampleException($"{arguments[i]} needs a value. Call with --help to see all options.");
}

namespace EfScaling.Testing.Postgres;

/// <summary>Checks the names of PostgreSQL settings that a user adds.</summary>
internal static class SettingNames
{
    // The cluster sets these for each server; another value would make the server unreachable or unowned.
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "port", "listen_addresses", "unix_socket_directories", "cluster_name", "primary_conninfo", "data_directory", "hba_file", "config_file",
        "logging_collector", "external_pid_file",
    };

    public static void Check(IReadOnlyDictionary<string, string> settings)
    {
        foreach (var (name, value) in settings)
        {
            if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.'))
            {
                throw new ArgumentException($"'{name}' is no name of a PostgreSQL setting: use letters, digits, '_' and '.'.", nameof(settings));
            }

            if (Reserved.Contains(name))
            {
                throw new ArgumentException($"'{name}' is set by the cluster itself for each server: remove it from Settings.", nameof(settings));
            }

            if (value.AsSpan().ContainsAny('\n', '\r', '\0'))
            {
                throw new ArgumentException($"The value of the setting '{name}' spans lines: write it on one line.", nameof(settings));
            }
        }
    }
}

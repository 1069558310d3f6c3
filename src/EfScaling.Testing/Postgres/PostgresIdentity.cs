using System.Buffers.Binary;
using System.Security.Cryptography;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Postgres;

/// <summary>Gives a copied data folder a system identifier of its own, as if <c>initdb</c> had run for it.</summary>
internal static class PostgresIdentity
{
    /// <summary>Replaces the identifier in the control file and rewrites the write-ahead log to fit.</summary>
    /// <remarks>
    /// The identifier is the first field of <c>pg_control</c> in every version (src/include/catalog/pg_control.h). Its checksum no longer
    /// fits then: pg_resetwal takes the values nevertheless when forced, writes a right checksum and a new log segment that carries the identifier.
    /// About 40 ms, against 800 ms for initdb.
    /// </remarks>
    public static async Task RenewAsync(PostgresTools tools, string data, CancellationToken cancellationToken)
    {
        var identifier = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(identifier, RandomIdentifier());
        var control = new FileStream(Path.Combine(data, "global", "pg_control"), FileMode.Open, FileAccess.Write);
        await using (control.ConfigureAwait(false))
        {
            await control.WriteAsync(identifier, cancellationToken).ConfigureAwait(false);
        }

        await tools.RunAsync("pg_resetwal", ["--force", "-D", data], new CommandSettings { WorkingDirectory = data }, cancellationToken)
            .ConfigureAwait(false);
    }

    // Positive in every type that clients may read it into, and never zero.
    private static long RandomIdentifier() => BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long))) & long.MaxValue | 1;
}

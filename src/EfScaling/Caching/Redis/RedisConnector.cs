using System.Globalization;

namespace EfScaling.Caching.Redis;

/// <summary>Makes connections that are ready for use.</summary>
internal sealed class RedisConnector(RedisOptions options, RedisRights rights, TimeProvider clock)
{
    /// <summary>How the server lists the connection.</summary>
    private const string Name = "EfScaling";

    // One slow answer may be chance, and refusing the server for it costs a second without a cache.
    private const int Tries = 3;

    /// <summary>Connects to the first server that is a master and answers within the time limit of an operation.</summary>
    /// <exception cref="RedisConnectException">There is none.</exception>
    public (RedisDialog Dialog, RedisServerIdentity Server) Connect()
    {
        if (options.ServiceName is not null)
        {
            return Connect(SentinelResolver.Resolve(options));
        }

        var failures = new List<(RedisEndpoint Endpoint, RedisFailure Failure)>();
        foreach (var endpoint in options.Endpoints)
        {
            try
            {
                return Connect(endpoint);
            }
            catch (RedisConnectException failed)
            {
                failures.Add((endpoint, failed.Failure));
            }
        }

        throw new RedisConnectException(
            failures.Count == 1
                ? failures[0].Failure
                : new(failures[0].Failure.Kind, string.Join("; ", failures.Select(f => $"{f.Endpoint}: {f.Failure.Text}"))));
    }

    private (RedisDialog Dialog, RedisServerIdentity Server) Connect(RedisEndpoint endpoint)
    {
        var dialog = RedisDialog.Open(endpoint, options, options.User);
        try
        {
            SayHello(dialog);
            var server = RedisServerIdentity.Read(endpoint, dialog.Ask("info", "INFO", "server"), dialog.Ask("info", "INFO", "replication"));
            foreach (var script in rights.Scripts)
            {
                // Loads it, and shows now rather than after a commit that the user may not run it.
                dialog.Ask("eval", "EVAL", script.Source, "0");
            }

            dialog.Ask("evalsha", "EVALSHA", rights.Scripts[0].Hash, "0");
            if (rights.FindMissing(dialog) is { Count: > 0 } missing)
            {
                throw new RedisConnectException(RedisError.Denied(missing, options.User));
            }

            Probe(dialog);
            dialog.HandOver(options.MaxWait);
            return (dialog, server);
        }
        catch
        {
            dialog.Dispose();
            throw;
        }
    }

    private void SayHello(RedisDialog dialog)
    {
        // The name goes with it: CLIENT SETNAME would need a right of its own.
        if (options.Password is { } password)
        {
            dialog.Ask("hello", "HELLO", "3", "AUTH", options.User ?? "default", password, "SETNAME", Name);
        }
        else
        {
            dialog.Ask("hello", "HELLO", "3", "SETNAME", Name);
        }

        if (options.Database != 0)
        {
            dialog.Ask("select", "SELECT", options.Database.ToString(CultureInfo.InvariantCulture));
        }
    }

    private void Probe(RedisDialog dialog)
    {
        for (var i = 0; i < Tries; i++)
        {
            var start = clock.GetTimestamp();
            dialog.Ask("ping", "PING");
            if (clock.GetElapsedTime(start) <= options.MaxWait)
            {
                return;
            }
        }

        throw new RedisConnectException(RedisLink.NoAnswerWithin(options.MaxWait));
    }
}

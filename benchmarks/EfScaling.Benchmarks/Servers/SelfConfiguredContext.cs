using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Servers;

/// <summary>A context that is configured anew each time it is created, as <c>OnConfiguring</c> does.</summary>
public sealed class SelfConfiguredContext(string server, string[] replicas) : ItemContext
{
    protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder)
    {
        optionsBuilder.UseNpgsql(server);
        if (replicas.Length > 0)
        {
            optionsBuilder.UseReadReplicas(r =>
            {
                foreach (var replica in replicas)
                {
                    r.AddReplica(replica);
                }
            });
        }
    }
}

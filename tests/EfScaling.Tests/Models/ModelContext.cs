using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Tests.Models;

/// <summary>A context whose model the test builds.</summary>
internal sealed class ModelContext(DbContextOptions options, Action<ModelBuilder> build) : DbContext(options)
{
    private Action<ModelBuilder> Build => build;

    public static ModelContext Create(Action<ModelBuilder> build, TrackedReads trackedReads = TrackedReads.ReplicaWhenProtected) =>
        new(Options(o => o.UseReadReplicas(r => r.AddReplica(ShopContext.Replica).TrackedReads(trackedReads))), build);

    public static ModelContext CreateWithoutReplicas(Action<ModelBuilder> build) => new(Options(_ => { }), build);

    protected override void OnModelCreating(ModelBuilder modelBuilder) => build(modelBuilder);

    private static DbContextOptions Options(Action<DbContextOptionsBuilder> configure)
    {
        var options = new DbContextOptionsBuilder().UseNpgsql(ShopContext.Primary).ReplaceService<IModelCacheKeyFactory, ModelPerTest>();
        configure(options);
        return options.Options;
    }

    // EF would give every context of this type the model of the first.
    private sealed class ModelPerTest : IModelCacheKeyFactory
    {
        public object Create(DbContext context, bool designTime) => (((ModelContext)context).Build, designTime);
    }
}

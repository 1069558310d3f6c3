using EfScaling.Projections;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Update;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EfScaling.Tests.Projections;

public sealed class ProjectionRegistrationTests
{
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public void Contexts_know_their_projections_whatever_is_registered_first(bool projectionFirst, bool usesReplicas)
    {
        var services = new ServiceCollection();
        if (projectionFirst)
        {
            Add(services);
        }

        services.AddDbContextFactory<ProjectedContext>(o => _ = usesReplicas
            ? o.UseNpgsql(ShopContext.Primary).UseReadReplicas(r => r.AddReplica(ShopContext.Replica))
            : o.UseNpgsql(ShopContext.Primary));
        if (!projectionFirst)
        {
            Add(services);
        }

        using var provider = services.BuildServiceProvider();
        using var context = provider.GetRequiredService<IDbContextFactory<ProjectedContext>>().CreateDbContext();

        Assert.Equal(["View", "second"], context.GetService<OutboxSession>().Projections.All.Select(p => p.Name));
        Assert.IsType<OutboxBatchExecutor>(context.GetService<IBatchExecutor>());
        Assert.Contains("using Projections", context.GetService<IDbContextOptions>().Extensions.Select(e => e.Info.LogFragment.Trim()));
        Assert.Single(services, d => d.ServiceType == typeof(IHostedService));
    }

    [Fact]
    public void Two_projections_with_one_name_are_refused() =>
        AssertRefused<InvalidOperationException>(p => p.Key(v => v.Id).On<Source>(s => s.Id).Build((_, _, _) => Task.FromResult<View?>(null)), "Named(...)", twice: true);

    [Fact]
    public void Name_of_a_projection_of_another_context_is_refused()
    {
        var services = new ServiceCollection();
        services.AddProjection<ProjectedContext, View>(Table);

        var exception = Assert.Throws<InvalidOperationException>(() => services.AddProjection<OtherContext, View>(Table));
        services.AddProjection<OtherContext, View>(p => Table(p.Named("other")));

        Assert.Contains("Named(...)", exception.Message, StringComparison.Ordinal);
        Assert.Contains("'View' of 'OtherContext'", exception.Message, StringComparison.Ordinal);

        static void Table<TContext>(ProjectionBuilder<TContext, View> projection)
            where TContext : DbContext =>
            projection.Key(v => v.Id).On<Source>(s => s.Id).Build((_, _, _) => Task.FromResult<View?>(null));
    }

    [Fact]
    public void Store_is_registered_where_documents_are_kept_and_only_there()
    {
        var services = new ServiceCollection();
        services.AddProjection<ProjectedContext, View>(p => Keyed(p).IntoDocuments().IntoTable());
        Assert.DoesNotContain(services, d => d.ServiceType == typeof(IProjectionStore<View>));

        services.AddProjection<ProjectedContext, View>(p => Keyed(p.Named("documents")).IntoDocuments());
        Assert.Single(services, d => d.ServiceType == typeof(IProjectionStore<View>));
    }

    [Theory]
    [InlineData(false, false, true)]
    [InlineData(false, true, true)]
    [InlineData(true, false, true)]
    [InlineData(true, true, false)]
    public void Projections_that_would_overwrite_documents_of_each_other_are_refused(bool firstInRedis, bool secondInRedis, bool isRefused)
    {
        var services = new ServiceCollection();
        Add("first", firstInRedis);

        var exception = Record.Exception(() => Add("second", secondInRedis));

        Assert.Equal(isRefused, exception is InvalidOperationException && exception.Message.Contains("'first' and 'second'", StringComparison.Ordinal));

        void Add(string name, bool isInRedis) =>
            services.AddProjection<ProjectedContext, View>(p => _ = isInRedis ? Keyed(p.Named(name)).IntoRedis("localhost:1") : Keyed(p.Named(name)).IntoDocuments());
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        AssertRefused<InvalidOperationException>(_ => { }, "Key(");
        AssertRefused<InvalidOperationException>(p => p.Key(v => v.Id).Build((_, _, _) => Task.FromResult<View?>(null)), "On<...>");
        AssertRefused<InvalidOperationException>(p => p.Key(v => v.Id).On<Source>(s => s.Id), "Build(...)");
        AssertRefused<ArgumentException>(p => p.Key(v => v.At), "'DateTime'");
        AssertRefused<ArgumentException>(p => p.Key(v => v.Id + 1), "does not name one property");
        AssertRefused<ArgumentException>(p => p.Key(v => v.Id).On<View>(v => v.Id), "from themselves");
        AssertRefused<ArgumentException>(p => p.Key(v => v.Id).On<Source, int>(s => s.Id, (_, _) => null!).On<Source, int>(s => s.Id, (_, _) => null!), "added twice");
        AssertRefused<ArgumentOutOfRangeException>(p => p.BatchSize(0), "rows");
        AssertRefused<ArgumentOutOfRangeException>(p => p.BatchSize(1001), "rows");
        AssertRefused<ArgumentOutOfRangeException>(p => p.MaxAttempts(0), "attempts");
        AssertRefused<ArgumentOutOfRangeException>(p => p.PollInterval(TimeSpan.Zero), "interval");
        AssertRefused<ArgumentException>(p => p.Named(" "), "name");
    }

    [Fact]
    public async Task Context_without_projections_says_what_to_call()
    {
        await using var context = ShopContext.Create();

        var exception = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.WaitForProjectionAsync<View>());

        Assert.Contains("AddProjection", exception.Message, StringComparison.Ordinal);
    }

    private static void Add(IServiceCollection services)
    {
        services.AddProjection<ProjectedContext, View>(p => p.Key(v => v.Id).On<Source>(s => s.Id).Build((_, _, _) => Task.FromResult<View?>(null)));
        services.AddProjection<ProjectedContext, View>(p => p.Named("second").Key(v => v.Id).On<Source>(s => s.Id).Apply((_, _, _) => Task.CompletedTask));
    }

    private static ProjectionBuilder<ProjectedContext, View, int> Keyed(ProjectionBuilder<ProjectedContext, View> projection) =>
        projection.Key(v => v.Id).On<Source>(s => s.Id).Build((_, _, _) => Task.FromResult<View?>(null));

    private static void AssertRefused<TException>(Action<ProjectionBuilder<ProjectedContext, View>> configure, string words, bool twice = false)
        where TException : Exception
    {
        var services = new ServiceCollection();
        if (twice)
        {
            services.AddProjection(configure);
        }

        var exception = Assert.Throws<TException>(() => services.AddProjection(configure));

        Assert.Contains(words, exception.Message, StringComparison.Ordinal);
    }

    internal sealed class ProjectedContext(DbContextOptions<ProjectedContext> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.AddOutbox();
            modelBuilder.Entity<Source>();
        }
    }

    internal sealed class OtherContext(DbContextOptions<OtherContext> options) : DbContext(options);

    internal sealed class Source
    {
        public int Id { get; set; }
    }

    internal sealed class View
    {
        public int Id { get; set; }

        public DateTime At { get; set; }
    }
}

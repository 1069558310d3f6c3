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

using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Routing;

/// <summary>An ambient session holds for every context in it, also for those that know the same servers by other settings.</summary>
public sealed class SharedSessionTests
{
    [Fact]
    public async Task Contexts_with_different_settings_see_what_the_others_wrote()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var writing = await RoutedBlogs.StartAsync(cluster);
        var reading = await RoutedBlogs.StartAsync(cluster, r => r.MaxStaleness(TimeSpan.FromSeconds(4)));
        await cluster.Standbys[0].SetApplyDelayAsync(TimeSpan.FromMilliseconds(600));

        for (var i = 0; i < 10; i++)
        {
            using var session = ConsistencySession.Begin();
            await using (var context = writing.Context())
            {
                context.Notes.Add(new Note { Text = $"note {i}" });
                await context.SaveChangesAsync();
            }

            await using var other = reading.Context();
            Assert.True(await other.Notes.AnyAsync(n => n.Text == $"note {i}"), $"Note {i} was not seen by {other.Database.LastRouting()}.");
        }
    }
}

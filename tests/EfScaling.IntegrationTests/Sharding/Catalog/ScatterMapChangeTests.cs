using System.Data.Common;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>A change of the map between the parts of a query over several shards.</summary>
public sealed class ScatterMapChangeTests(Bank bank) : IClassFixture<Bank>
{
    [Fact]
    public async Task Rows_that_move_between_the_parts_of_a_query_are_neither_missed_nor_seen_without_what_belongs_to_them()
    {
        var between = new BehindFirstStep();
        var process = bank.Process(c => c.PollInterval(TimeSpan.FromSeconds(1)), options: o => o.AddInterceptors(between));
        await using var context = process.CreateDbContext();
        foreach (var account in new[] { 1, 2, 3 })
        {
            between.Run = async () =>
            {
                await bank.MoveAsync(account);
                var present = await bank.PresentMapAsync();
                await Eventually.ThatAsync(
                    () => Task.FromResult(Bank.MapOf(process).Version == present.Version), TimeSpan.FromSeconds(20), "the process to hear of the change");
            };

            // The first accounts of all are found by a step, and their entries where they are.
            var accounts = await context.Accounts.AsNoTracking().OrderBy(a => a.Id).Take(5).Include(a => a.Entries).ToListAsync();
            Assert.True(between.HasRun, "The query had no step.");
            Assert.Equal([1, 2, 3, 4, 5], accounts.Select(a => a.Id));
            Assert.All(accounts, a => Assert.Equal(2, a.Entries.Count));
        }
    }

    // Once, when the first part has been read on all shards.
    private sealed class BehindFirstStep : DbCommandInterceptor
    {
        private int _isArmed;

        public Func<Task> Run
        {
            get;
            set
            {
                field = value;
                (HasRun, _isArmed) = (false, 1);
            }
        } = () => Task.CompletedTask;

        public bool HasRun { get; private set; }

        public override async ValueTask<InterceptionResult> DataReaderClosingAsync(DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
        {
            if (command.CommandText.StartsWith("SELECT s.c0::text", StringComparison.Ordinal) && Interlocked.Exchange(ref _isArmed, 0) == 1)
            {
                HasRun = true;
                await Run();
            }

            return result;
        }
    }
}

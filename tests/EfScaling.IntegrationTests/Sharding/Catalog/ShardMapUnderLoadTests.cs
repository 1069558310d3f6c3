using System.Collections.Concurrent;
using System.Diagnostics;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>Buckets move to and fro with their rows while two processes read and write them, one that is told of each change and one that is not.</summary>
public sealed class ShardMapUnderLoadTests(Bank bank) : IClassFixture<Bank>
{
    private const int WritersOfEach = 3;
    private const int EnoughMoves = 20;
    private const int EnoughReads = 300;
    private const int EnoughWrites = 150;

    private static readonly TimeSpan _deadline = TimeSpan.FromMinutes(2);

    private readonly int _seed = Random.Shared.Next();

    // What each account must show: only one writer writes it, and notes what it has committed.
    private readonly long[] _saved = new long[Bank.Accounts + 1];
    private readonly ConcurrentQueue<string> _faults = new();
    private int _reads;
    private int _repeatedUnits;

    [Fact]
    public async Task No_row_is_lost_doubled_misplaced_or_missing_while_buckets_move()
    {
        using var end = new CancellationTokenSource();
        ShardedDbContextFactory<BankContext>[] processes = [bank.Notified, bank.Deaf()];
        var workers = new List<Task>();
        for (var worker = 0; worker < processes.Length * WritersOfEach; worker++)
        {
            var (process, number) = (processes[worker % processes.Length], worker);
            workers.Add(Task.Run(() => WriteAsync(process, number, processes.Length * WritersOfEach, end.Token)));
            workers.Add(Task.Run(() => ReadAsync(process, number, end.Token)));
        }

        var moves = await MoveAsync(end);
        await Task.WhenAll(workers);

        Assert.True(_faults.IsEmpty, $"seed {_seed}, {_faults.Count} faults:\n{string.Join('\n', _faults.Take(10))}");
        await VerifyAsync();
        Assert.True(moves >= EnoughMoves && _reads >= EnoughReads && _saved.Sum() >= EnoughWrites, $"{moves} moves, {_reads} reads and {_saved.Sum()} writes are too few to prove anything.");
        TestContext.Current.TestOutputHelper?.WriteLine($"{moves} moves, {_reads} reads, {_saved.Sum()} writes, {_repeatedUnits} transactions begun anew");
    }

    private async Task<int> MoveAsync(CancellationTokenSource end)
    {
        var (clock, random, moves) = (Stopwatch.StartNew(), new Random(_seed), 0);
        try
        {
            while (clock.Elapsed < _deadline && _faults.IsEmpty && (moves < EnoughMoves || _reads < EnoughReads || _saved.Sum() < EnoughWrites))
            {
                await bank.MoveAsync(random.Next(1, Bank.Accounts + 1));
                moves++;
            }
        }
        finally
        {
            await end.CancelAsync();
        }

        return moves;
    }

    private async Task WriteAsync(ShardedDbContextFactory<BankContext> process, int number, int writers, CancellationToken end)
    {
        var random = new Random(_seed + number);
        int[] own = [.. Enumerable.Range(1, Bank.Accounts).Where(id => id % writers == number)];
        while (!end.IsCancellationRequested && _faults.IsEmpty)
        {
            var id = own[random.Next(own.Length)];
            try
            {
                await (random.Next(4) switch
                {
                    0 => UpdateInTransactionAsync(process, id),
                    1 => UpdateAtOnceAsync(process, id),
                    _ => SaveAsync(process, id),
                });
            }
            catch (Exception exception)
            {
                _faults.Enqueue($"a writer of account {id}: {exception}");
            }
        }
    }

    private async Task SaveAsync(ShardedDbContextFactory<BankContext> process, int id)
    {
        await using var context = process.CreateDbContext();
        await ChangeAsync(context, id);
        _saved[id]++;
    }

    private async Task UpdateAtOnceAsync(ShardedDbContextFactory<BankContext> process, int id)
    {
        await using var context = process.CreateDbContext();
        var changed = await context.Accounts.Where(a => a.Id == id).ExecuteUpdateAsync(s => s.SetProperty(a => a.Note, Guid.NewGuid().ToString()));
        if (changed != 1)
        {
            _faults.Enqueue($"ExecuteUpdate of account {id} changed {changed} rows");
        }
    }

    // Holds the account for a while after the write, as applications do. A transaction is the application's to repeat.
    private async Task UpdateInTransactionAsync(ShardedDbContextFactory<BankContext> process, int id)
    {
        while (true)
        {
            try
            {
                await using var context = process.CreateDbContext(ShardKey.Of(id));
                await using var transaction = await context.Database.BeginTransactionAsync();
                await ChangeAsync(context, id);
                await context.Database.ExecuteSqlAsync($"SELECT pg_sleep(0.02)");
                await transaction.CommitAsync();
                _saved[id]++;
                return;
            }
            catch (Exception exception) when (exception is ShardMapChangedException or CrossShardException { Reason: CrossShardReason.OutsideBoundShard })
            {
                Interlocked.Increment(ref _repeatedUnits);
                await using var context = process.CreateDbContext();
                await context.Accounts.AnyAsync(a => a.Id == id);
            }
        }
    }

    private async Task ChangeAsync(BankContext context, int id)
    {
        var account = await context.Accounts.SingleAsync(a => a.Id == id);
        if (account.Balance != 100 + _saved[id])
        {
            _faults.Enqueue($"account {id} showed {account.Balance} to its writer after {_saved[id]} writes");
        }

        account.Balance++;
        account.Revision++;
        context.Add(new Entry { AccountId = id, Amount = 1 });
        await context.SaveChangesAsync();
    }

    private async Task ReadAsync(ShardedDbContextFactory<BankContext> process, int number, CancellationToken end)
    {
        var random = new Random(_seed - number - 1);
        while (!end.IsCancellationRequested && _faults.IsEmpty)
        {
            var id = random.Next(1, Bank.Accounts + 1);
            var before = Volatile.Read(ref _saved[id]);
            try
            {
                await using var context = process.CreateDbContext();
                var account = random.Next(2) == 0
                    ? await context.Accounts.AsNoTracking().Include(a => a.Entries).SingleOrDefaultAsync(a => a.Id == id, CancellationToken.None)
                    : context.Accounts.AsNoTracking().Include(a => a.Entries).SingleOrDefault(a => a.Id == id);
                if (account is null || account.Balance < 100 + before || account.Entries.Sum(e => e.Amount) != account.Balance)
                {
                    _faults.Enqueue($"account {id} showed {account?.Balance} with entries of {account?.Entries.Sum(e => e.Amount)} after at least {before} writes");
                }

                Interlocked.Increment(ref _reads);
            }
            catch (Exception exception)
            {
                _faults.Enqueue($"a reader of account {id}: {exception}");
            }
        }
    }

    private async Task VerifyAsync()
    {
        var map = await bank.PresentMapAsync();
        var found = new Dictionary<int, string>();
        foreach (var shard in map.Shards)
        {
            await using var context = bank.Notified.CreateDbContextOnShard(shard);
            foreach (var account in await context.Accounts.Include(a => a.Entries).ToListAsync())
            {
                Assert.True(found.TryAdd(account.Id, shard), $"account {account.Id} is on '{shard}' and '{found.GetValueOrDefault(account.Id)}'");
                Assert.Equal(map.ShardOf(ShardKey.Of(account.Id)), shard);
                Assert.Equal(100 + _saved[account.Id], account.Balance);
                Assert.Equal(account.Balance, account.Entries.Sum(e => e.Amount));
            }
        }

        Assert.Equal(Enumerable.Range(1, Bank.Accounts), found.Keys.Order());
    }
}

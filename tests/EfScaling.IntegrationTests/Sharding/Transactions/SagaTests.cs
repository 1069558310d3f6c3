using System.Text.Json;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Sharding.Catalog;
using EfScaling.Routing.Transactions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>A transfer between accounts of two shards in steps: debit here, credit there, refund if that fails; each exactly once, whatever dies between or in them.</summary>
public sealed class SagaTests(VaultClusters vault) : IClassFixture<VaultClusters>
{
    [Fact]
    public async Task A_transfer_is_made_step_by_step()
    {
        var transfer = NewTransfer(0);
        await using var context = vault.Owner.CreateDbContext();
        Assert.Equal(SagaOutcome.Completed, await TransferOf(context, transfer).RunAsync());
        await AssertMovedAsync(transfer, transfer.Amount);

        // A second time finds it done.
        Assert.Equal(SagaOutcome.Completed, await TransferOf(context, transfer).RunAsync());
        await AssertMovedAsync(transfer, transfer.Amount);
        Assert.DoesNotContain(await Saga.FindUnfinishedAsync(context, "transfer", TimeSpan.Zero), s => s.Id == transfer.Id);
    }

    [Fact]
    public async Task A_credit_that_is_refused_is_followed_by_a_refund()
    {
        var transfer = NewTransfer(1) with { To = 1_000_000 };
        await using var context = vault.Owner.CreateDbContext();
        var saga = TransferOf(context, transfer);
        Assert.Equal(SagaOutcome.Undone, await saga.RunAsync());
        Assert.Contains("no account 1000000", saga.Failure, StringComparison.Ordinal);
        var entries = await vault.Owner.ForEachShardAsync((c, token) => c.Entries.Where(e => e.AccountId == transfer.From && e.Amount == -transfer.Amount).CountAsync(token));
        Assert.Equal(1, entries.Sum(e => e.Value));
        Assert.Equal(VaultClusters.Balance, await BalanceAsync(transfer.From));
        Assert.Equal(SagaOutcome.Undone, await TransferOf(context, transfer).RunAsync());
    }

    [Fact]
    public async Task Another_process_goes_on_where_one_has_died()
    {
        var transfer = NewTransfer(2);

        // It dies behind the decision of the debit, which nobody has told it of.
        var steps = new StepLog();
        using var end = new CancellationTokenSource();
        steps.OnStep = step =>
        {
            if (step == EfScalingEventId.ShardsDecided)
            {
                end.Cancel();
                throw new TimeoutException("died");
            }
        };
        await using (var dying = vault.Process(steps: steps).CreateDbContext())
        {
            await Assert.ThrowsAnyAsync<Exception>(() => TransferOf(dying, transfer).RunAsync(end.Token));
        }

        await vault.RecoverAsync();
        await using var context = vault.Owner.CreateDbContext();
        var found = Assert.Single(await Saga.FindUnfinishedAsync(context, "transfer", TimeSpan.Zero), s => s.Id == transfer.Id);
        var known = JsonSerializer.Deserialize<Transfer>(found.Data!)!;
        Assert.Equal((transfer, 1, false), (known, found.Step, found.IsUndoing));

        // Two at once: each step is done by one of them.
        await using var other = vault.Owner.CreateDbContext();
        Assert.Equal([SagaOutcome.Completed, SagaOutcome.Completed], await Task.WhenAll(TransferOf(context, known).RunAsync(), TransferOf(other, known).RunAsync()));
        await AssertMovedAsync(transfer, transfer.Amount);
    }

    [Fact]
    public async Task A_saga_is_gone_on_with_by_its_own_steps_alone()
    {
        var transfer = NewTransfer(3);
        await using var context = vault.Owner.CreateDbContext();
        await TransferOf(context, transfer).RunAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => Saga.Begin(context, "order", transfer.Id).RunAsync());
        await Assert.ThrowsAsync<InvalidOperationException>(() => Saga.Begin(context, "transfer", transfer.Id).RunAsync());
        await using var bound = vault.Owner.CreateDbContextOnShard("alpha");
        Assert.Throws<InvalidOperationException>(() => Saga.Begin(bound, "transfer", transfer.Id));
    }

    private static Saga<BankContext> TransferOf(BankContext context, Transfer transfer) => Saga
        .Begin(context, "transfer", transfer.Id, JsonSerializer.Serialize(transfer))
        .Step(
            (c, token) => BookAsync(c, transfer.From, -transfer.Amount, token),
            (c, token) => BookAsync(c, transfer.From, transfer.Amount, token))
        .Step((c, token) => BookAsync(c, transfer.To, transfer.Amount, token));

    private static async Task BookAsync(BankContext context, int id, long amount, CancellationToken cancellationToken)
    {
        var account = await context.Accounts.SingleOrDefaultAsync(a => a.Id == id, cancellationToken) ?? throw new InvalidOperationException($"There is no account {id}.");
        account.Balance += amount;
        account.Revision++;
        context.Add(new Catalog.Entry { AccountId = id, Amount = amount });
    }

    // Of the two shards that do not have the saga's row.
    private Transfer NewTransfer(int index) => new(Guid.CreateVersion7(), vault.ByShard["beta"][index], vault.ByShard["gamma"][index], 30);

    private async Task AssertMovedAsync(Transfer transfer, long amount)
    {
        Assert.Equal(VaultClusters.Balance - amount, await BalanceAsync(transfer.From));
        Assert.Equal(VaultClusters.Balance + amount, await BalanceAsync(transfer.To));
    }

    private async Task<long> BalanceAsync(int id)
    {
        await using var context = vault.Owner.CreateDbContext();
        return await context.Accounts.Where(a => a.Id == id).Select(a => a.Balance).SingleAsync();
    }

    private sealed record Transfer(Guid Id, int From, int To, long Amount);
}

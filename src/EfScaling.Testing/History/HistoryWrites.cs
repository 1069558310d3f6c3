using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Testing.History;

/// <summary>The writes of one client, in every way in which an application may write.</summary>
/// <remarks>
/// A write whose outcome is unknown may still be under way on the server when the next one begins. None may take a version back, so each is refused when the
/// register holds a later version: by its condition, or by the concurrency token of the entity.
/// </remarks>
internal sealed class HistoryWrites(int client, IReadOnlyList<int> own, HistoryRecorder recorder, WriteGate gate)
{
    private readonly Dictionary<int, long> _versions = own.ToDictionary(r => r, _ => 0L);
    private volatile int _lastWritten = own[0];

    /// <summary>Gets the register that was written last.</summary>
    public int LastWritten => _lastWritten;

    /// <summary>Writes once, unless nobody may write.</summary>
    /// <returns>Whether the context can be used further.</returns>
    public async Task<bool> WriteAsync(DbContext context, HistorySession session)
    {
        if (!gate.TryEnter())
        {
            return true;
        }

        try
        {
            return await WriteOpenAsync(context, session).ConfigureAwait(false);
        }
        finally
        {
            gate.Leave();
        }
    }

    private async Task<bool> WriteOpenAsync(DbContext context, HistorySession session)
    {
        var random = session.Random;
        var (first, second) = (own[random.Next(own.Count)], own[random.Next(own.Count)]);
        var how = random.Next(6) switch
        {
            0 => "SaveChanges",
            1 => "SaveChanges of several rows",
            2 => "transaction",
            3 => "rolled back transaction",
            4 => "ExecuteUpdate",
            _ => "raw SQL",
        };
        _lastWritten = first;
        int[] registers = how is "SaveChanges" or "ExecuteUpdate" or "raw SQL" || first == second ? [first] : [first, second];
        Dictionary<int, long> versions = registers.ToDictionary(r => r, r => ++_versions[r]);
        var written = new HistoryEvent
        {
            Operation = HistoryOperation.Write,
            How = how,
            Command = recorder.NextCommand(),
            Client = client,
            Session = session.Number,
            Cache = session.Application.Cache,
            Started = recorder.Now,
            Ended = default,
        };
        var outcome = HistoryOutcome.Unknown;
        using var publication = PublicationLog.Watch();
        try
        {
            outcome = await WriteAsync(context, how, versions).ConfigureAwait(false);
            return true;
        }
        catch (DbUpdateConcurrencyException)
        {
            outcome = HistoryOutcome.Refused;
            return false;
        }
        catch (Exception exception) when (HistoryClient.IsFailure(exception))
        {
            outcome = how == "rolled back transaction" ? HistoryOutcome.Refused : HistoryOutcome.Unknown;
            recorder.Failed(how, exception);
            return false;
        }
        finally
        {
            foreach (var (register, version) in versions)
            {
                recorder.Add(written with { Register = register, Value = version, Outcome = outcome, IsUnpublished = publication.HasFailed, Ended = recorder.Now });
            }
        }
    }

    private static async Task<HistoryOutcome> WriteAsync(DbContext context, string how, Dictionary<int, long> versions)
    {
        switch (how)
        {
            case "SaveChanges" or "SaveChanges of several rows":
                context.ChangeTracker.Clear();
                foreach (var (id, version) in versions)
                {
                    (await context.Set<HistoryRegister>().SingleAsync(r => r.Id == id).ConfigureAwait(false)).Version = version;
                }

                await context.SaveChangesAsync().ConfigureAwait(false);
                return HistoryOutcome.Acknowledged;
            case "transaction" or "rolled back transaction":
                var transaction = await context.Database.BeginTransactionAsync().ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    var outcome = await UpdateAsync(context, versions).ConfigureAwait(false);
                    if (how != "transaction")
                    {
                        await transaction.RollbackAsync().ConfigureAwait(false);
                        return HistoryOutcome.Refused;
                    }

                    await transaction.CommitAsync().ConfigureAwait(false);
                    return outcome;
                }

            case "ExecuteUpdate":
                return await UpdateAsync(context, versions).ConfigureAwait(false);
            default:
                var (register, value) = versions.Single();
                return await context.Database.ExecuteSqlRawAsync(UpdateOf(context), value, register).ConfigureAwait(false) == 1
                    ? HistoryOutcome.Acknowledged
                    : HistoryOutcome.Refused;
        }
    }

    private static async Task<HistoryOutcome> UpdateAsync(DbContext context, Dictionary<int, long> versions)
    {
        var count = 0;
        foreach (var (id, version) in versions)
        {
            count += await context.Set<HistoryRegister>().Where(r => r.Id == id && r.Version < version)
                .ExecuteUpdateAsync(s => s.SetProperty(r => r.Version, version)).ConfigureAwait(false);
        }

        return count == versions.Count ? HistoryOutcome.Acknowledged : HistoryOutcome.Unknown;
    }

    private static string UpdateOf(DbContext context)
    {
        var sql = context.GetService<ISqlGenerationHelper>();
        var entity = context.Model.FindEntityType(typeof(HistoryRegister))!;
        var table = StoreObjectIdentifier.Table(entity.GetTableName()!, entity.GetSchema());
        var (id, version) = (Column(nameof(HistoryRegister.Id)), Column(nameof(HistoryRegister.Version)));
        return $"UPDATE {sql.DelimitIdentifier(table.Name, table.Schema)} SET {version} = {{0}} WHERE {id} = {{1}} AND {version} < {{0}}";

        string Column(string property) => sql.DelimitIdentifier(entity.FindProperty(property)!.GetColumnName(table)!);
    }
}

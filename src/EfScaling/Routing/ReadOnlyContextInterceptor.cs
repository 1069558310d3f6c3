using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Routing;

/// <summary>Refuses SaveChanges on a context that was created for reading only, and while a snapshot is open.</summary>
internal sealed class ReadOnlyContextInterceptor : SaveChangesInterceptor
{
    /// <summary>Returns the exception that says what to call instead.</summary>
    /// <param name="refused">What was attempted.</param>
    public static InvalidOperationException Refusal(string refused) =>
        new($"{refused} writes, but the context was created by CreateReadOnlyDbContext(). Use a context from CreateDbContext() to write.");

    /// <inheritdoc />
    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        Refuse(eventData.Context);
        return result;
    }

    /// <inheritdoc />
    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        Refuse(eventData.Context);
        return new(result);
    }

    private static void Refuse(DbContext? context)
    {
        var router = context?.GetService<ReadRouter>();
        if (router?.IsReadOnly == true)
        {
            throw Refusal("SaveChanges");
        }

        router?.RefuseInSnapshot("SaveChanges writes");
    }
}

using System.Transactions;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>Notes as minimal APIs serve them, in all the ways in which a response may follow a write.</summary>
public static class NoteEndpoints
{
    public static void MapNotes(this IEndpointRouteBuilder app)
    {
        app.MapGet("/notes", FindAsync);
        app.MapPost("/notes", AddAsync);
        app.MapPut("/notes", FindAsync);
        app.MapPost("/redirected", RedirectAsync);
        app.MapPost("/streamed", StreamAsync);
        app.MapPost("/failing", FailAsync);
        app.MapPost("/transaction", InTransactionAsync);
        app.MapPost("/scope", InScopeAsync);
        app.MapPost("/open", OpenAsync);
        app.MapGet("/slow", SlowAsync);
        app.MapPost("/losing", LoseThePrimaryAsync);
        app.MapGet("/plain", () => "nothing read");
        app.MapGet("/error", () => Results.Problem("failed"));
        app.MapPost("/error", () => Results.Problem("failed"));
    }

    public static async Task<WebRead> FindAsync(BlogContext context, string text)
    {
        var found = await context.Notes.AnyAsync(n => n.Text == text);
        var routing = context.Database.LastRouting()!.Value;
        return new WebRead(found, routing.Role, routing.Reason);
    }

    private static async Task<WebRead> SlowAsync(BlogContext context, SlowRequest slow, string text)
    {
        var read = await FindAsync(context, text);
        await slow.WaitAsync();
        return read;
    }

    private static async Task AddAsync(BlogContext context, string text)
    {
        context.Notes.Add(new Note { Text = text });
        await context.SaveChangesAsync();
    }

    private static async Task<IResult> RedirectAsync(BlogContext context, string text, string to)
    {
        await AddAsync(context, text);
        return Results.Redirect(to, preserveMethod: false);
    }

    // One note before the response starts and one after it.
    private static async Task StreamAsync(BlogContext context, HttpResponse response, string text)
    {
        await AddAsync(context, $"{text} before");
        await response.WriteAsync("half of ");
        await response.Body.FlushAsync();
        await AddAsync(context, $"{text} after");
        await response.WriteAsync("the answer");
    }

    private static async Task FailAsync(BlogContext context, string text)
    {
        await AddAsync(context, text);
        throw new InvalidOperationException("Fails after its write.");
    }

    private static async Task InTransactionAsync(BlogContext context, string text)
    {
        await using var transaction = await context.Database.BeginTransactionAsync();
        await AddAsync(context, text);
        await transaction.CommitAsync();
    }

    // The monitor measures, and the standby stops, after the connection was closed and before the transaction ends.
    private static async Task InScopeAsync(BlogContext context, PostgresCluster cluster, string text)
    {
        using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
        await AddAsync(context, text);
        using (new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled))
        {
            await cluster.WaitForReplicationAsync();
            await cluster.Primary.ExecuteAsync("SELECT pg_sleep(1)");
            await cluster.Standbys[0].PauseReplayAsync();
        }

        scope.Complete();
    }

    // The connection is closed with the context, after the response.
    private static async Task OpenAsync(BlogContext context, string text)
    {
        await context.Database.OpenConnectionAsync();
        await AddAsync(context, text);
    }

    // The primary hangs between the write and the start of the response.
    private static async Task LoseThePrimaryAsync(BlogContext context, PostgresCluster cluster, string text)
    {
        await AddAsync(context, text);
        await cluster.Primary.SuspendAsync();
    }
}

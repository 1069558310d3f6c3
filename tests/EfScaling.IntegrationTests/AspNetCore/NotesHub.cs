using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using Microsoft.AspNetCore.SignalR;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>Notes as SignalR serves them.</summary>
public sealed class NotesHub(BlogContext context, ConsistencyTokenProtector protector) : Hub
{
    /// <summary>Adds a note.</summary>
    /// <returns>The token that the client gives to its next HTTP request.</returns>
    public async Task<string> Add(string text)
    {
        context.Notes.Add(new Note { Text = text });
        await context.SaveChangesAsync();
        return protector.Protect(await ConsistencySession.Current!.GetTokenAsync(Context.ConnectionAborted));
    }

    public Task<WebRead> Find(string text) => NoteEndpoints.FindAsync(context, text);
}

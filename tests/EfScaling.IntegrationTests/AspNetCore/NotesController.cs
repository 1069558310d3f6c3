using EfScaling.IntegrationTests.Clusters;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>Notes as MVC serves them.</summary>
[ApiController]
[Route("mvc/notes")]
public sealed class NotesController(BlogContext context) : ControllerBase
{
    [HttpPost]
    public async Task<IActionResult> Add(string text)
    {
        context.Notes.Add(new Note { Text = text });
        await context.SaveChangesAsync();
        return Ok();
    }

    [HttpGet]
    public Task<WebRead> Find(string text) => NoteEndpoints.FindAsync(context, text);

    [HttpGet("stream")]
    public IAsyncEnumerable<Note> Stream(string text) => context.Notes.AsNoTracking().Where(n => n.Text == text).AsAsyncEnumerable();
}

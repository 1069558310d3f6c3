namespace EfScaling.Sample.Sharded;

/// <summary>A post among those of others.</summary>
internal sealed record NetworkPost(long Id, int AuthorId, string Author, string Text);

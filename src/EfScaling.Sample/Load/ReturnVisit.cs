using EfScaling.Sample.Feed;

namespace EfScaling.Sample.Load;

/// <summary>A visitor who wrote something and looks at it again later, in the same context.</summary>
/// <param name="Context">The context that wrote.</param>
/// <param name="What">What it wrote, in words.</param>
/// <param name="IsThere">Reads it back.</param>
/// <param name="WrittenAt">When it was written.</param>
internal sealed record ReturnVisit(FeedContext Context, string What, Func<SocialFeed, Task<bool>> IsThere, long WrittenAt);

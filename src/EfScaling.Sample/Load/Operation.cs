namespace EfScaling.Sample.Load;

/// <summary>What a visitor does. Each is one query or one write.</summary>
internal enum Operation
{
    Feed,
    Profile,
    Post,
    Heartbeat,
    ReadBack,
    NewPost,
    Like,
}

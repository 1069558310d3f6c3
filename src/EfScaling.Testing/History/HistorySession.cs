namespace EfScaling.Testing.History;

/// <summary>Where the work of a client belongs: one worker of one session, in one application.</summary>
/// <param name="Number">The session's number.</param>
/// <param name="Application">The application.</param>
/// <param name="Random">The worker's source of choices.</param>
/// <param name="Writes">Whether this worker writes: of several at the same time only one does, because each register has one writer.</param>
internal sealed record HistorySession(int Number, HistoryApplication Application, Random Random, bool Writes);

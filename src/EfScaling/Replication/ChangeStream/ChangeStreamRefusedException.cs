namespace EfScaling.Replication.ChangeStream;

/// <summary>The server is not set up for reading changes, and trying again mends nothing. The message names what to set.</summary>
internal sealed class ChangeStreamRefusedException(string message, Exception? cause = null) : InvalidOperationException(message, cause);

namespace EfScaling.Testing;

/// <summary>A server, or a tool that prepares one, ended or failed before the server accepted connections.</summary>
public sealed class ServerStartException : Exception
{
    /// <summary>Tells which server did not start, and what it wrote.</summary>
    /// <param name="message">What was attempted.</param>
    /// <param name="log">Last lines of the program's output; empty when it wrote none.</param>
    public ServerStartException(string message, string log)
        : base(log.Length == 0 ? message : $"{message} Its last output:{Environment.NewLine}{log}")
    {
        Log = log;
    }

    /// <summary>Last lines that the program wrote; empty when it wrote none.</summary>
    public string Log { get; }
}

namespace EfScaling.Testing;

/// <summary>A program that a test server needs is not on this machine; the message names what to install.</summary>
public sealed class ServerBinaryNotFoundException : Exception
{
    /// <summary>Names a missing program and the package that holds it.</summary>
    /// <param name="binary">File name of the program, such as <c>initdb</c>.</param>
    /// <param name="message">What was looked for, where, and what to install.</param>
    public ServerBinaryNotFoundException(string binary, string message)
        : base(message)
    {
        Binary = binary;
    }

    /// <summary>File name of the missing program, such as <c>postgres</c> or <c>redis-server</c>.</summary>
    public string Binary { get; }
}

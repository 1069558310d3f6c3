namespace EfScaling.Testing.Processes;

/// <summary>How a tool is run.</summary>
internal sealed record CommandSettings
{
    /// <summary>Operating system user; <see langword="null"/> keeps the present one.</summary>
    public string? User { get; init; }

    public string WorkingDirectory { get; init; } = "/";

    public string? Input { get; init; }

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
}

namespace EfScaling.Testing.Processes;

/// <summary>The system's folder for temporary files.</summary>
internal static class TempFolder
{
    /// <summary>Its real path: the system reports the folder that a process works in without links.</summary>
    public static string Path { get; } = Resolve();

    private static string Resolve()
    {
        var path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetTempPath());
        return Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
    }
}

using System.Text.Json;

namespace EfScaling.Sample.Report;

/// <summary>Writes a report as JSON.</summary>
internal static class ReportFile
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Writes it.</summary>
    public static async Task WriteAsync<TReport>(string file, TReport report, CancellationToken cancellationToken)
    {
        await using var stream = File.Create(file);
        await JsonSerializer.SerializeAsync(stream, report, Readable, cancellationToken);
    }
}

using System.Text;

namespace EfScaling.Benchmarks.Measuring;

/// <summary>Writes figures as markdown.</summary>
internal static class FigureTable
{
    public static string Write(string title, IEnumerable<Figure> figures)
    {
        var text = new StringBuilder();
        text.Append("## ").Append(title).Append("\n\n| Figure | Target | Measured | Verdict |\n|---|---|---|---|\n");
        foreach (var figure in figures)
        {
            text.Append("| ").Append(figure.Name).Append(" | ").Append(figure.Target).Append(" | ").Append(figure.Measured).Append(" | ").Append(figure.Verdict).Append(" |\n");
        }

        return text.ToString();
    }
}

using System.Text.RegularExpressions;

namespace EfScaling.Tests.Docs;

/// <summary>The C# that a page of the documentation shows, to be compared with code that compiles.</summary>
internal static partial class ShownCode
{
    /// <summary>Returns the text of a file of the repository.</summary>
    public static string Read(params string[] path) => File.ReadAllText(Path.Combine([SourceTree.Root, .. path]));

    /// <summary>Returns the pieces of code of a page.</summary>
    public static IEnumerable<string> In(string page) => Code().Matches(page).Select(m => m.Groups[1].Value);

    /// <summary>Removes indentation: a page is indented from its left edge, the compiled code from its method's.</summary>
    public static string Flat(string code) => string.Join('\n', code.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0));

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Code();
}

using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

namespace EfScaling.Sharding;

/// <summary>Tells collations by which only texts with the same bytes are equal from those by which others may be.</summary>
internal static class Collations
{
    /// <summary>The annotation with the name of a property's collation, for models that contexts use, which no longer know collations.</summary>
    public const string Annotation = "EfScaling:Collation";

    /// <summary>The annotation of properties whose texts may be equal to others, for the same models.</summary>
    public const string LooseAnnotation = "EfScaling:LooseCollation";

    // Those of every server. Of the operating system's it is not known whether the server has them, or the application has given their names to its own.
    private static readonly string[] _exact = ["default", "C", "POSIX", "ucs_basic", "C.UTF-8", "C.utf8", "pg_c_utf8", "pg_unicode_fast", "unicode"];

    /// <summary>Returns whether only texts with the same bytes are certain to be equal by the collation of a property.</summary>
    /// <remarks>The collation of a whole database is always one of those.</remarks>
    public static bool IsExact(IReadOnlyProperty property) => CollationOf(property) is not { } collation || IsExact(property.DeclaringType.Model, collation);

    /// <summary>Returns the collation of a property; <see langword="null"/> for that of the database.</summary>
    public static string? CollationOf(IReadOnlyProperty property) =>
        property.GetCollation() ?? (property.GetColumnType() is { } type && ShardKeyColumn.TypeOf(type) == ShardKeyType.Text ? property.DeclaringType.Model["Npgsql:DefaultColumnCollation"] as string : null);

    private static bool IsExact(IReadOnlyModel model, string collation) =>
        model.GetCollations().FirstOrDefault(c => IsNamed(c, collation)) is { } declared
            ? declared.IsDeterministic != false
            : Array.IndexOf(_exact, collation) >= 0 || collation.EndsWith("-x-icu", StringComparison.Ordinal);

    private static bool IsNamed(PostgresCollation declared, string collation) =>
        declared.Name == collation || (declared.Schema is { } schema && $"{schema}.{declared.Name}" == collation);
}

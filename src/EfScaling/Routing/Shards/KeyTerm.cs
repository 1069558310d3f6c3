using System.Collections;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Shards;

/// <summary>What a query compares a column of a shard key with: a value that the SQL holds, a parameter, or a parameter with many values.</summary>
/// <param name="Parameter">The name under which EF keeps the parameter's value; <see langword="null"/> for a value in the SQL.</param>
/// <param name="Constant">The value in the SQL.</param>
/// <param name="Mapping">How values are stored.</param>
/// <param name="IsMany">Whether there are many values, of which any will do.</param>
internal sealed record KeyTerm(string? Parameter, object? Constant, RelationalTypeMapping? Mapping, bool IsMany)
{
    /// <summary>Returns the term of an expression; <see langword="null"/> if its value follows from something else.</summary>
    public static KeyTerm? Of(SqlExpression expression, bool isMany = false) => expression switch
    {
        SqlParameterExpression parameter => new KeyTerm(parameter.InvariantName, null, parameter.TypeMapping, isMany),
        SqlConstantExpression { Value: { } value } constant => new KeyTerm(null, value, constant.TypeMapping, isMany),
        _ => null,
    };

    /// <summary>Returns the value, as it is sent to the database, of a term with one.</summary>
    /// <returns><see langword="null"/> if it is null, which no column equals.</returns>
    public object? ValueIn(IReadOnlyDictionary<string, object?> parameters) => Sent(Parameter is null ? Constant : parameters[Parameter], Mapping);

    /// <summary>Adds the values, as they are sent to the database, to those of other terms.</summary>
    public void AddTo(List<object> values, IReadOnlyDictionary<string, object?> parameters)
    {
        if (!IsMany)
        {
            Add(ValueIn(parameters), values);
        }
        else if ((Parameter is null ? Constant : parameters[Parameter]) is IEnumerable many)
        {
            var element = (RelationalTypeMapping?)Mapping?.ElementTypeMapping;
            foreach (var value in many)
            {
                Add(Sent(value, element), values);
            }
        }
    }

    private static void Add(object? value, List<object> values)
    {
        if (value is not null)
        {
            values.Add(value);
        }
    }

    private static object? Sent(object? value, RelationalTypeMapping? mapping) =>
        value is not null && mapping?.Converter is { } converter ? converter.ConvertToProvider(value) : value;
}

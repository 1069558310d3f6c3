using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Reads from a lambda which property of an entity holds the key.</summary>
internal static class KeyProperty
{
    /// <summary>Returns the name of the property.</summary>
    /// <param name="selector"><c>o => o.Id</c>, <c>l => l.OrderId.Value</c> or <c>l => EF.Property&lt;int>(l, "OrderId")</c>.</param>
    /// <exception cref="ArgumentException">The lambda is anything else: keys are read from tracked values, old and new, where no code can run.</exception>
    public static string NameOf(LambdaExpression selector)
    {
        ArgumentNullException.ThrowIfNull(selector);
        var body = selector.Body;
        while (body is UnaryExpression { NodeType: ExpressionType.Convert } convert)
        {
            body = convert.Operand;
        }

        if (body is MemberExpression { Member.Name: nameof(Nullable<>.Value), Expression: { } nullable } && Nullable.GetUnderlyingType(nullable.Type) is not null)
        {
            body = nullable;
        }

        return body switch
        {
            MemberExpression { Expression: ParameterExpression } member => member.Member.Name,
            MethodCallExpression { Method: { Name: nameof(EF.Property), DeclaringType: var type }, Arguments: [ParameterExpression, ConstantExpression { Value: string name }] }
                when type == typeof(EF) => name,
            _ => throw new ArgumentException(
                $"'{selector}' does not name one property. Name the property that holds the key, as in o => o.Id, or an expression of the form EF.Property<int>(o, \"OrderId\").",
                nameof(selector)),
        };
    }
}

using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query;

namespace EfScaling.Routing.Scatter;

/// <summary>Ends the planning of a select, which the planner may try in another way.</summary>
internal sealed class ScatterRefusedException(ScatterRule rule, Expression fragment) : Exception
{
    /// <summary>Gets why the select cannot be answered.</summary>
    public ScatterRefusal Refusal { get; } = new(rule, ExpressionPrinter.Print(fragment));
}

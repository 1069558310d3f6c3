using System.Reflection;
using EfScaling.AspNetCore;
using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EfScaling.Tests.Diagnostics;

public sealed class EfScalingEventIdTests
{
    private static readonly Type[] _lists = [typeof(EfScalingEventId), typeof(EfScalingAspNetCoreEventId)];

    private static readonly FieldInfo[] _ids = [.. _lists.SelectMany(l => l.GetFields(BindingFlags.Public | BindingFlags.Static))];

    private static readonly (string Method, int Id)[] _logMethods =
    [
        .. from type in _lists.SelectMany(l => l.Assembly.GetTypes())
           from method in type.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly)
           from attribute in method.GetCustomAttributes<LoggerMessageAttribute>()
           select (method.Name, attribute.EventId),
    ];

    [Fact]
    public void Ids_are_unique()
    {
        Assert.NotEmpty(_ids);
        Assert.Equal(_ids.Length, _ids.Select(Value).Distinct().Count());
    }

    [Fact]
    public void Each_id_has_exactly_one_log_method_of_its_name() =>
        Assert.Equal(_ids.Select(f => (f.Name, Value(f))).OrderBy(x => x.Item2), _logMethods.OrderBy(x => x.Id));

    [Fact]
    public void Ids_lie_far_from_those_of_EF() => Assert.All(_ids, f => Assert.InRange(Value(f), 720_100, 729_999));

    private static int Value(FieldInfo field) => (int)field.GetRawConstantValue()!;
}

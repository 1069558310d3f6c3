using System.Collections;
using System.Globalization;
using System.Net;
using System.Text.Json;
using NpgsqlTypes;

namespace EfScaling.Tests.Caching.Rows;

/// <summary>A text that two values share if and only if they are the same to the last bit.</summary>
internal static class RenderedValue
{
    public static string Of(object? value) => value switch
    {
        null or DBNull => "NULL",
        string text => $"string:{text}",
        float number => $"float:{BitConverter.SingleToInt32Bits(number):X8}",
        double number => $"double:{BitConverter.DoubleToInt64Bits(number):X16}",
        decimal number => $"decimal:{string.Join(',', decimal.GetBits(number))}",
        DateTime time => $"DateTime:{time.Ticks}:{time.Kind}",
        DateTimeOffset time => $"DateTimeOffset:{time.Ticks}:{time.Offset.Ticks}",
        TimeOnly time => $"TimeOnly:{time.Ticks}",
        JsonDocument json => $"JsonDocument:{json.RootElement.GetRawText()}",
        JsonElement json => $"JsonElement:{json.GetRawText()}",
        Stream stream => $"Stream:{Convert.ToHexString(BytesOf(stream))}",
        BitArray bits => $"BitArray:{string.Concat(bits.Cast<bool>().Select(b => b ? '1' : '0'))}",
        IPAddress address => $"IPAddress:{address}",
        IPNetwork network => $"IPNetwork:{network}",
        NpgsqlInterval interval => $"Interval:{interval.Months}:{interval.Days}:{interval.Time}",
        NpgsqlPoint point => $"Point:{Of(point.X)}:{Of(point.Y)}",
        NpgsqlPath path => $"Path:{path.Open}:{Each(path)}",
        NpgsqlPolygon polygon => $"Polygon:{Each(polygon)}",
        NpgsqlBox box => $"Box:{Of(box.UpperRight)}:{Of(box.LowerLeft)}",
        NpgsqlLSeg segment => $"LSeg:{Of(segment.Start)}:{Of(segment.End)}",
        NpgsqlLine line => $"Line:{Of(line.A)}:{Of(line.B)}:{Of(line.C)}",
        NpgsqlCircle circle => $"Circle:{Of(circle.Center)}:{Of(circle.Radius)}",
        NpgsqlCube cube => $"Cube:{cube.IsPoint}:{Each(cube.LowerLeft)}:{Each(cube.UpperRight)}",
        NpgsqlTsVector vector => $"TsVector:{string.Join(' ', vector)}",
        NpgsqlTsQuery query => $"TsQuery:{query}",
        IReadOnlyDictionary<string, string?> texts =>
            $"{value.GetType().Name}:{string.Join(',', texts.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => $"{t.Key}={Of(t.Value)}"))}",
        _ when IsRange(value.GetType()) => Range((dynamic)value),
        IEnumerable values => $"{value.GetType()}:{Each(values)}",
        IFormattable other => $"{value.GetType().Name}:{other.ToString(null, CultureInfo.InvariantCulture)}",
        _ => $"{value.GetType().Name}:{value}",
    };

    private static string Each(IEnumerable values) => $"[{string.Join('|', values.Cast<object?>().Select(Of))}]";

    private static bool IsRange(Type type) => type.IsConstructedGenericType && type.GetGenericTypeDefinition() == typeof(NpgsqlRange<>);

    private static string Range<T>(NpgsqlRange<T> range) =>
        $"Range:{Of(range.LowerBound)}:{Of(range.UpperBound)}:{range.LowerBoundIsInclusive}:{range.UpperBoundIsInclusive}:{range.LowerBoundInfinite}:{range.UpperBoundInfinite}:{range.IsEmpty}";

    private static byte[] BytesOf(Stream stream)
    {
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }
}

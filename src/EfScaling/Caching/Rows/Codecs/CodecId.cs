namespace EfScaling.Caching.Rows.Codecs;

/// <summary>What tells the formats of values apart in the fingerprint of a schema. Append only: a changed format is a new id.</summary>
internal enum CodecId : byte
{
    /// <summary>Any number of values of another codec, as an array.</summary>
    Array = 1,

    /// <summary>Any number of values of another codec, as a list.</summary>
    List = 2,

    /// <summary>Values of another codec among which nulls may be.</summary>
    Nullable = 3,

    /// <summary>Ranges over the values of another codec.</summary>
    Range = 4,

    /// <summary>Members of an enumeration.</summary>
    Enum = 5,

    /// <summary>Values of a codec that the application registered.</summary>
    Plugin = 6,

    /// <summary><see cref="bool"/>.</summary>
    Boolean = 16,

    /// <summary><see cref="byte"/>.</summary>
    Byte = 17,

    /// <summary><see cref="sbyte"/>.</summary>
    SByte = 18,

    /// <summary><see cref="short"/>.</summary>
    Int16 = 19,

    /// <summary><see cref="ushort"/>.</summary>
    UInt16 = 20,

    /// <summary><see cref="int"/>.</summary>
    Int32 = 21,

    /// <summary><see cref="uint"/>.</summary>
    UInt32 = 22,

    /// <summary><see cref="long"/>.</summary>
    Int64 = 23,

    /// <summary><see cref="ulong"/>.</summary>
    UInt64 = 24,

    /// <summary><see cref="float"/>.</summary>
    Single = 25,

    /// <summary><see cref="double"/>.</summary>
    Double = 26,

    /// <summary><see cref="decimal"/>.</summary>
    Decimal = 27,

    /// <summary><see cref="char"/>.</summary>
    Char = 28,

    /// <summary><see cref="string"/>.</summary>
    String = 29,

    /// <summary><see cref="System.Guid"/>.</summary>
    Guid = 30,

    /// <summary><see cref="System.DateTime"/>.</summary>
    DateTime = 31,

    /// <summary><see cref="System.DateTimeOffset"/>.</summary>
    DateTimeOffset = 32,

    /// <summary><see cref="System.DateOnly"/>.</summary>
    DateOnly = 33,

    /// <summary><see cref="System.TimeOnly"/>.</summary>
    TimeOnly = 34,

    /// <summary><see cref="System.TimeSpan"/>.</summary>
    TimeSpan = 35,

    /// <summary><see cref="System.Numerics.BigInteger"/>.</summary>
    BigInteger = 36,

    /// <summary>Bytes as an array.</summary>
    Bytes = 37,

    /// <summary>Bytes as a stream.</summary>
    Stream = 38,

    /// <summary><see cref="System.Text.Json.JsonDocument"/>.</summary>
    JsonDocument = 39,

    /// <summary><see cref="System.Text.Json.JsonElement"/>.</summary>
    JsonElement = 40,

    /// <summary><see cref="System.Collections.BitArray"/>.</summary>
    BitArray = 41,

    /// <summary><see cref="System.Net.IPAddress"/>.</summary>
    IPAddress = 42,

    /// <summary><see cref="System.Net.IPNetwork"/>.</summary>
    IPNetwork = 43,

    /// <summary><see cref="System.Net.NetworkInformation.PhysicalAddress"/>.</summary>
    PhysicalAddress = 44,

    /// <summary>Texts by their keys.</summary>
    Dictionary = 45,

    /// <summary>Texts by their keys, which never change.</summary>
    ImmutableDictionary = 46,

    /// <summary>Months, days and time.</summary>
    Interval = 64,

    /// <summary>Address and mask.</summary>
    Inet = 65,

    /// <summary>Network.</summary>
    Cidr = 66,

    /// <summary>Position in the write-ahead log.</summary>
    LogSequenceNumber = 67,

    /// <summary>Place of a row.</summary>
    Tid = 68,

    /// <summary>Point.</summary>
    Point = 69,

    /// <summary>Box.</summary>
    Box = 70,

    /// <summary>Line.</summary>
    Line = 71,

    /// <summary>Line segment.</summary>
    LineSegment = 72,

    /// <summary>Path.</summary>
    Path = 73,

    /// <summary>Polygon.</summary>
    Polygon = 74,

    /// <summary>Circle.</summary>
    Circle = 75,

    /// <summary>Cube.</summary>
    Cube = 76,

    /// <summary>Text search document.</summary>
    TsVector = 77,

    /// <summary>Text search query.</summary>
    TsQuery = 78,
}

using System.Globalization;

namespace EfScaling.Consistency;

/// <summary>A position in the write-ahead log (an LSN), ordered as the server orders it.</summary>
/// <param name="Value">Byte position, unsigned 64 bit.</param>
internal readonly record struct WalPosition(ulong Value) : IComparable<WalPosition>
{
    /// <summary>The position before every record; demands nothing of a node.</summary>
    public static readonly WalPosition None;

    public static bool operator <(WalPosition left, WalPosition right) => left.Value < right.Value;

    public static bool operator >(WalPosition left, WalPosition right) => left.Value > right.Value;

    public static bool operator <=(WalPosition left, WalPosition right) => left.Value <= right.Value;

    public static bool operator >=(WalPosition left, WalPosition right) => left.Value >= right.Value;

    /// <inheritdoc />
    public int CompareTo(WalPosition other) => Value.CompareTo(other.Value);

    /// <summary>Writes the position as PostgreSQL does: two hexadecimal halves with a slash between.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Value >> 32:X}/{Value & 0xFFFFFFFF:X}");
}

using System.Net;
using System.Net.Sockets;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Addresses of the internet as bytes: their number, the bytes, and of the long ones the scope.</summary>
internal static class NetworkBytes
{
    /// <summary>Writes an address.</summary>
    public static void Write(PayloadWriter writer, IPAddress address)
    {
        writer.Block(address.GetAddressBytes());
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            writer.Varint((ulong)address.ScopeId);
        }
    }

    /// <summary>Reads an address. Throws if the bytes are none.</summary>
    public static IPAddress Read(ref PayloadReader reader)
    {
        var bytes = reader.Block();
        var scope = bytes.Length == 16 ? reader.Varint() : 0;
        return scope == 0 ? new IPAddress(bytes) : new IPAddress(bytes, checked((long)scope));
    }

    /// <summary>Makes an address of the caller's own: the scope can be set.</summary>
    public static IPAddress Copy(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 ? new IPAddress(address.GetAddressBytes(), address.ScopeId) : new IPAddress(address.GetAddressBytes());

    /// <summary>Gets the memory of an address.</summary>
    public static int MemoryOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? 88 : 40;
}

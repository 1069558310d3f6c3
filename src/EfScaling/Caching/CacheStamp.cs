using System.Buffers.Binary;

namespace EfScaling.Caching;

/// <summary>Makes 128 bits of the versions that a result was read under; results are valid while the stamp of the present versions is the same.</summary>
internal ref struct CacheStamp(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;
    private int _length;

    /// <summary>Returns the size of the buffer for a number of versions.</summary>
    public static int SizeOf(int versions) => (versions * sizeof(long)) + sizeof(long) + sizeof(uint);

    /// <summary>Returns the stamp of a reading.</summary>
    /// <param name="reading">The reading.</param>
    /// <param name="timeline">The history of the database that the process follows: results of another one are not used.</param>
    public static UInt128 Of(in CacheReading reading, uint timeline)
    {
        var stamp = new CacheStamp(stackalloc byte[SizeOf(reading.Versions.Count)]);
        for (var i = 0; i < reading.Versions.Count; i++)
        {
            stamp.Add(reading.Versions[i]);
        }

        return stamp.Complete(reading.Incarnation, timeline);
    }

    /// <summary>Adds a version.</summary>
    public void Add(long version)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_buffer[_length..], version);
        _length += sizeof(long);
    }

    /// <summary>Returns the stamp.</summary>
    public UInt128 Complete(long incarnation, uint timeline)
    {
        Add(incarnation);
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer[_length..], timeline);
        return Digest.Of(_buffer[..(_length + sizeof(uint))]);
    }
}

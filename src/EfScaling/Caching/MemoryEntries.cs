using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>The entries of a <see cref="MemoryCacheStore"/>, up to a number of bytes. Those not read for longest make room for new ones.</summary>
/// <remarks>Not thread-safe.</remarks>
internal sealed class MemoryEntries(long capacity)
{
    // What an entry takes beside its characters and bytes: a slot of the dictionary (about 42), the list's node (64), the headers of key and value (46).
    private const int Overhead = 152;

    private readonly Dictionary<string, LinkedListNode<Entry>> _byKey = [];

    // The one read last comes first.
    private readonly LinkedList<Entry> _byUse = [];

    /// <summary>Gets how many bytes the entries take, about.</summary>
    public long Bytes { get; private set; }

    /// <summary>Reads an entry.</summary>
    /// <returns><see langword="null"/> if there is none, or its time is over.</returns>
    public byte[]? Read(string key, Moment now)
    {
        if (Find(key, now) is not { } node)
        {
            return null;
        }

        _byUse.Remove(node);
        _byUse.AddFirst(node);
        return node.Value.Value;
    }

    /// <summary>Keeps an entry, unless it alone is larger than all may be.</summary>
    /// <param name="key">Key of the entry.</param>
    /// <param name="value">The entry, which nobody changes from now on.</param>
    /// <param name="until">End of its time.</param>
    public void Write(string key, byte[] value, Moment until)
    {
        if (_byKey.TryGetValue(key, out var former))
        {
            Remove(former);
        }

        var entry = new Entry(key, value, until);
        if (entry.Bytes > capacity)
        {
            return;
        }

        while (Bytes + entry.Bytes > capacity)
        {
            Remove(_byUse.Last!);
        }

        _byKey[key] = _byUse.AddFirst(entry);
        Bytes += entry.Bytes;
    }

    /// <summary>Moves the end of an entry's time, if there is such an entry.</summary>
    public void Prolong(string key, Moment now, Moment until)
    {
        if (Find(key, now) is { } node)
        {
            node.Value = node.Value with { Until = until };
        }
    }

    private LinkedListNode<Entry>? Find(string key, Moment now)
    {
        if (!_byKey.TryGetValue(key, out var node))
        {
            return null;
        }

        if (now < node.Value.Until)
        {
            return node;
        }

        Remove(node);
        return null;
    }

    private void Remove(LinkedListNode<Entry> node)
    {
        _byUse.Remove(node);
        _byKey.Remove(node.Value.Key);
        Bytes -= node.Value.Bytes;
    }

    private readonly record struct Entry(string Key, byte[] Value, Moment Until)
    {
        public long Bytes => Overhead + (sizeof(char) * (long)Key.Length) + Value.Length;
    }
}

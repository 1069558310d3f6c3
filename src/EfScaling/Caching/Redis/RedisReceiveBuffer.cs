namespace EfScaling.Caching.Redis;

/// <summary>Collects what a connection receives and hands it out one answer at a time.</summary>
/// <param name="early">What was received before.</param>
internal sealed class RedisReceiveBuffer(byte[] early)
{
    private const int UsualSize = 32 * 1024;
    private const int LargestKept = 1024 * 1024;

    private byte[] _bytes = early.Length > 0 ? early : new byte[UsualSize];
    private int _start;
    private int _end = early.Length;

    /// <summary>Takes the next answer if it is complete.</summary>
    /// <param name="answer">The answer; valid until the next call of <see cref="Fill"/>.</param>
    /// <exception cref="RespException">What was received is no RESP.</exception>
    public bool TryTake(out ReadOnlySpan<byte> answer)
    {
        var waiting = _bytes.AsSpan(_start, _end - _start);
        if (waiting.IsEmpty || !RespReader.TryMeasure(waiting, out var length))
        {
            answer = default;
            return false;
        }

        answer = waiting[..length];
        _start += length;
        return true;
    }

    /// <summary>Gets what is left.</summary>
    public byte[] Rest => _bytes.AsSpan(_start, _end - _start).ToArray();

    /// <summary>Waits for more.</summary>
    /// <returns><see langword="false"/> if there will be no more.</returns>
    public bool Fill(Stream stream)
    {
        MakeRoom();
        var count = stream.Read(_bytes, _end, _bytes.Length - _end);
        _end += count;
        return count > 0;
    }

    private void MakeRoom()
    {
        var waiting = _end - _start;
        if (waiting == 0)
        {
            (_start, _end) = (0, 0);
            if (_bytes.Length is > LargestKept or < UsualSize)
            {
                _bytes = new byte[UsualSize];
            }
        }
        else if (_end == _bytes.Length)
        {
            var bytes = waiting > _bytes.Length / 2 ? new byte[Math.Max(UsualSize, _bytes.Length * 2)] : _bytes;
            _bytes.AsSpan(_start, waiting).CopyTo(bytes);
            (_bytes, _start, _end) = (bytes, 0, waiting);
        }
    }
}

using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace EfScaling.Sample.Graph;

/// <summary>The ego-Facebook graph: who is a friend of whom. Immutable.</summary>
internal sealed class FriendshipGraph
{
    private const string Resource = "ego-facebook-edges.txt.gz";

    // Of the unpacked file, as Data/README.md names it.
    private const string Sha256 = "f41c026ed8af3cc3359f1ca5573d0605fb09ae0eefa34544b820fd8c6e2ef296";

    private readonly int[] _friendsOf;
    private readonly HashSet<(int A, int B)> _pairs;

    private FriendshipGraph(IReadOnlyList<(int A, int B)> friendships)
    {
        Friendships = friendships;
        _pairs = [.. friendships.SelectMany(f => new[] { (f.A, f.B), (f.B, f.A) })];
        _friendsOf = new int[friendships.Max(f => Math.Max(f.A, f.B)) + 1];
        foreach (var (a, b) in friendships)
        {
            _friendsOf[a]++;
            _friendsOf[b]++;
        }

        ByFriends = [.. Enumerable.Range(0, People).OrderByDescending(FriendsOf)];
    }

    /// <summary>Gets each friendship once.</summary>
    public IReadOnlyList<(int A, int B)> Friendships { get; }

    /// <summary>Gets the number of people; their ids run from zero.</summary>
    public int People => _friendsOf.Length;

    /// <summary>Gets the people, those with the most friends first.</summary>
    public IReadOnlyList<int> ByFriends { get; }

    /// <summary>Unpacks the graph from the program.</summary>
    /// <exception cref="InvalidDataException">It is not the file whose hash is known.</exception>
    public static FriendshipGraph Unpack()
    {
        using var packed = typeof(FriendshipGraph).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidDataException($"The graph '{Resource}' is not part of the program. Build src/EfScaling.Sample from a complete clone.");
        using var unpacked = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Decompress))
        {
            gzip.CopyTo(unpacked);
        }

        var bytes = unpacked.ToArray();
        return Convert.ToHexStringLower(SHA256.HashData(bytes)) == Sha256
            ? new FriendshipGraph([.. Encoding.ASCII.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Friendship)])
            : throw new InvalidDataException($"The graph '{Resource}' is damaged: its SHA-256 is not '{Sha256}'. Restore src/EfScaling.Sample/Data from the repository.");
    }

    /// <summary>Returns how many friends a person has.</summary>
    public int FriendsOf(int person) => _friendsOf[person];

    /// <summary>Returns whether two people are friends.</summary>
    public bool AreFriends(int one, int other) => _pairs.Contains((one, other));

    private static (int A, int B) Friendship(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        return (int.Parse(line.AsSpan(0, space), CultureInfo.InvariantCulture), int.Parse(line.AsSpan(space + 1), CultureInfo.InvariantCulture));
    }
}

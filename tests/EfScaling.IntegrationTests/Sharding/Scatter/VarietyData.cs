namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Random rows: few values of each type, so that there are ties and groups over all shards, among them those that are easily got wrong.</summary>
/// <param name="random">Decides.</param>
internal sealed class VarietyData(Random random)
{
    public const int Owners = 24;
    public const int Colours = 4;

    public static IReadOnlyList<string> Texts { get; } =
        ["", " ", "a", "A", "b", "B", "ab", "a b", "a-b", "Z", "z", "é", "e\u0301", "ß", "ss", "NULL", "null", "{a,b}", "\"", "'", "\\", "\\N", ",", "(1,)", "\U0001F600", "\uFF21", "10", "9", "tab\there", "line\nhere", "%", "_"];

    public static IReadOnlyList<string> Codes { get; } = ["", "a", "A", "b", "a b", "é", "12345678", "x,y"];

    public static IReadOnlyList<int> Ints { get; } = [0, 1, 2, 3, 5, 7, -1, -100, 1000000];

    public static IReadOnlyList<decimal> Moneys { get; } = [0m, 0.5m, 1.25m, -7.0001m, 100m, 99999.9999m, 3m];

    // No two that are equal in another scale: which of them DISTINCT, MIN and the like give is not certain on one database either.
    public static IReadOnlyList<decimal> Plains { get; } = [0.00m, 1.50m, 2.5m, -3.000m, 100m, 0.000125m, 7m, -0.10m];

    // Sums of them are exact in any order.
    public static IReadOnlyList<double> Doubles { get; } = [0, 0.25, -1.5, 3, 1024.75, double.NaN, double.PositiveInfinity];

    public static IReadOnlyList<DateTime> Times { get; } =
    [
        DateTime.MinValue, DateTime.MaxValue, new(2024, 2, 29, 12, 0, 0), new(2024, 2, 29, 12, 0, 0, 1), new(1900, 1, 1), new(2038, 1, 19, 3, 14, 8), new DateTime(2024, 1, 1).AddTicks(10),
    ];

    private static readonly Guid[] _guids = [Guid.Empty, new("00000000-0000-0000-0000-000000000001"), new("01000000-0000-0000-0000-000000000000"), new("ff000000-0000-4000-8000-000000000000"), new("00ff0000-0000-4000-8000-00000000ff00")];

    public static IReadOnlyList<Guid> Guids => _guids;

    /// <summary>Gives a value to each property, or none.</summary>
    public T Fill<T>(T row)
        where T : Various
    {
        row.Short = Maybe(Ints) is { } s and < 1000 ? (short)s : null;
        row.Int = Maybe(Ints);
        row.Long = Maybe(Ints) is { } l ? l * 3_000_000_000L : null;
        row.Money = Maybe(Moneys);
        row.Plain = Maybe(Plains);
        row.Single = (float?)Maybe(Doubles);
        row.Double = Maybe(Doubles);
        row.Flag = Maybe([true, false]);
        row.Guid = Maybe(Guids);
        row.Utc = Maybe(Times) is { } utc ? DateTime.SpecifyKind(utc, DateTimeKind.Utc) : null;
        row.Local = Maybe(Times);
        row.Day = Maybe(Times) is { } day ? DateOnly.FromDateTime(day) : null;
        row.Time = Maybe(Times) is { } time ? TimeOnly.FromDateTime(new DateTime(time.Ticks - (time.Ticks % 10))) : null;
        row.Span = Maybe(Ints) is { } span ? TimeSpan.FromSeconds(span) : null;
        row.Text = MaybeText(Texts);
        row.Plainest = MaybeText(Texts);
        row.Code = MaybeText(Codes);
        row.Fixed = MaybeText(["a", "b", "ab", "abcd"]);
        row.Mood = Maybe([Mood.Sad, Mood.Fair, Mood.Glad]);
        row.Bytes = random.Next(4) == 0 ? null : [.. Enumerable.Range(0, random.Next(3)).Select(_ => (byte)(random.Next(2) * 255))];
        row.Numbers = random.Next(4) == 0 ? null : [.. Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(4))];
        return row;
    }

    /// <summary>Makes the owners with all that belongs to them.</summary>
    public List<Owner> MakeOwners() => [.. Enumerable.Range(1, Owners).Select(MakeOwner)];

    private Owner MakeOwner(int id)
    {
        var owner = Fill(new Owner
        {
            Id = id,
            ColourId = MaybeColour(),
            Address = new Address { Street = Pick(Codes), Number = Maybe(Ints) },
            Profile = new Profile { Nick = MaybeText(Texts), Level = Maybe(Ints), Rate = Pick(Plains) },
        });
        owner.Profile.Tags.AddRange(Enumerable.Range(0, random.Next(3)).Select(_ => new Tag { Name = Pick(Texts), Weight = Maybe(Ints) }));
        for (var i = random.Next(5); i > 0; i--)
        {
            // The same numbers for different owners.
            var item = Fill(new Item { OwnerId = id, Id = i, ColourId = MaybeColour() });
            item.Parts.AddRange(Enumerable.Range(1, random.Next(4)).Select(n => Fill(new Part { OwnerId = id, ItemId = i, Number = n, Quantity = Pick(Ints), Price = Pick(Moneys) })));
            owner.Items.Add(item);
        }

        for (var i = random.Next(3); i > 0; i--)
        {
            owner.Animals.Add(random.Next(3) switch
            {
                0 => Fill(new Cat { OwnerId = id, Id = i, Lives = Maybe(Ints) }),
                1 => Fill(new Dog { OwnerId = id, Id = i, Breed = MaybeText(Texts) }),
                _ => Fill(new Animal { OwnerId = id, Id = i }),
            });
            owner.Papers.Add(random.Next(3) switch
            {
                0 => Fill(new Letter { OwnerId = id, Id = i, Recipient = MaybeText(Texts) }),
                1 => Fill(new Memo { OwnerId = id, Id = i, Lines = Maybe(Ints) }),
                _ => Fill(new Paper { OwnerId = id, Id = i }),
            });
        }

        return owner;
    }

    private int? MaybeColour() => random.Next(4) == 0 ? null : 1 + random.Next(Colours);

    private T? Maybe<T>(IReadOnlyList<T> values)
        where T : struct => random.Next(5) == 0 ? null : Pick(values);

    private string? MaybeText(IReadOnlyList<string> values) => random.Next(5) == 0 ? null : Pick(values);

    private T Pick<T>(IReadOnlyList<T> values) => values[random.Next(values.Count)];
}

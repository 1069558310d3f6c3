namespace EfScaling.Consistency;

/// <summary>What a session asks of the node that serves its next read.</summary>
/// <param name="Floor">Everything committed before this moment must be visible.</param>
/// <param name="Position">Everything up to this position must be visible.</param>
/// <param name="LastServer">The server of the session's previous read, by the time of its start; zero for none.</param>
/// <param name="LastRead">When that read ended: any other server must show everything committed before.</param>
/// <param name="HasWritten">Whether the session has written, so that some of its reads belong on the primary.</param>
/// <param name="NeedsPrimary">Whether only the primary will do, because nobody knows what the session has seen.</param>
internal readonly record struct Demand(Moment Floor, WalPosition Position, ulong LastServer, Moment LastRead, bool HasWritten, bool NeedsPrimary)
{
    /// <summary>Gets when the session was last given a token, or has made results of the cache old: what was written elsewhere before must be seen, by whatever answers.</summary>
    public Moment GivenAt { get; init; } = Moment.Never;

    /// <summary>The demand of a session that has neither written nor read.</summary>
    public static readonly Demand None = new(Moment.Never, WalPosition.None, LastServer: 0, Moment.Never, HasWritten: false, NeedsPrimary: false);

    /// <summary>Returns the demand that satisfies both; the previous read is that of <paramref name="other"/> if it has one.</summary>
    public Demand Merge(in Demand other)
    {
        var floor = Moment.Later(Floor, other.Floor);
        var position = Position > other.Position ? Position : other.Position;
        var hasWritten = HasWritten || other.HasWritten;
        var needsPrimary = NeedsPrimary || other.NeedsPrimary;
        var givenAt = Moment.Later(GivenAt, other.GivenAt);
        if (LastServer == other.LastServer || LastServer == 0)
        {
            return new Demand(floor, position, other.LastServer, Moment.Later(LastRead, other.LastRead), hasWritten, needsPrimary) { GivenAt = givenAt };
        }

        return other.LastServer == 0
            ? new Demand(floor, position, LastServer, LastRead, hasWritten, needsPrimary) { GivenAt = givenAt }
            : new Demand(Moment.Later(floor, LastRead), position, other.LastServer, other.LastRead, hasWritten, needsPrimary) { GivenAt = givenAt };
    }
}

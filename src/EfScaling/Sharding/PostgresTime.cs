namespace EfScaling.Sharding;

/// <summary>Dates and times as PostgreSQL stores them, and as the provider writes them there.</summary>
internal static class PostgresTime
{
    /// <summary>The day number of 2000-01-01, from which the server counts.</summary>
    public const int EpochDay = 730_119;

    private const long EpochTicks = EpochDay * TimeSpan.TicksPerDay;

    // The provider stores the least and the greatest value as infinity unless this switch of its own is set.
    private static readonly bool _hasInfinity = !(AppContext.TryGetSwitch("Npgsql.DisableDateTimeInfinityConversions", out var isDisabled) && isDisabled);

    /// <summary>Returns the days since 2000-01-01.</summary>
    public static int DaysOf(DateOnly value) =>
        _hasInfinity && value == DateOnly.MinValue ? int.MinValue
        : _hasInfinity && value == DateOnly.MaxValue ? int.MaxValue
        : value.DayNumber - EpochDay;

    /// <summary>Returns the microseconds since 2000-01-01; what is finer is cut towards that day, as the provider does.</summary>
    public static long MicrosecondsOf(DateTime value) =>
        _hasInfinity && value.Ticks == DateTime.MinValue.Ticks ? long.MinValue
        : _hasInfinity && value.Ticks == DateTime.MaxValue.Ticks ? long.MaxValue
        : (value.Ticks - EpochTicks) / TimeSpan.TicksPerMicrosecond;

    /// <summary>Returns the date of a number of days.</summary>
    public static DateOnly DateOf(int days) => days switch
    {
        int.MinValue => DateOnly.MinValue,
        int.MaxValue => DateOnly.MaxValue,
        _ => DateOnly.FromDayNumber(days + EpochDay),
    };

    /// <summary>Returns the time of a number of microseconds.</summary>
    public static DateTime TimeOf(long microseconds, DateTimeKind kind) => microseconds switch
    {
        long.MinValue => DateTime.SpecifyKind(DateTime.MinValue, kind),
        long.MaxValue => DateTime.SpecifyKind(DateTime.MaxValue, kind),
        _ => new DateTime((microseconds * TimeSpan.TicksPerMicrosecond) + EpochTicks, kind),
    };
}

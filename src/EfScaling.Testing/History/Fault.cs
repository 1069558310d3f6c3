namespace EfScaling.Testing.History;

/// <summary>One fault of a schedule.</summary>
/// <param name="Kind">What happens.</param>
/// <param name="Standby">Which of the standbys it happens to, counted from zero; without meaning for faults of the primary.</param>
/// <param name="Duration">How long it lasts.</param>
/// <param name="Lag">How late every other standby shows each commit meanwhile.</param>
public readonly record struct Fault(FaultKind Kind, int Standby, TimeSpan Duration, TimeSpan Lag)
{
    /// <summary>Writes the fault in words.</summary>
    public override string ToString() =>
        FormattableString.Invariant($"{Kind} of standby {Standby + 1} for {Duration.TotalSeconds:0.000} s, the others {Lag.TotalMilliseconds:0} ms late");
}

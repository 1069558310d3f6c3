namespace EfScaling.Testing.History;

/// <summary>A proof that a history broke a rule.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Proof">The least events that prove it, the breach last.</param>
public sealed record HistoryViolation(HistoryRule Rule, IReadOnlyList<HistoryEvent> Proof)
{
    /// <summary>Gets the event that broke the rule.</summary>
    public HistoryEvent Breach => Proof[^1];

    /// <summary>Writes the rule and the events that prove the violation.</summary>
    public override string ToString() => $"{Rule}:{string.Concat(Proof.Select(e => $"{Environment.NewLine}  {e}"))}";
}

using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>The turn of one context to load results from the database.</summary>
/// <param name="turns">Where it is given back; <see langword="null"/> for nowhere.</param>
/// <param name="takenAt">When it was taken.</param>
/// <remarks>Thread-safe.</remarks>
internal sealed class LoadTurn(LoadTurns? turns, Moment takenAt) : IDisposable
{
    /// <summary>The turn of a load that runs while its context has a turn already, which is not given back with it.</summary>
    public static readonly LoadTurn OfContext = new(null, Moment.Never);

    /// <summary>Gets when it was taken.</summary>
    public Moment TakenAt => takenAt;

    /// <summary>Gets whether it was neither given back nor taken away.</summary>
    public bool IsHeld => turns?.IsHeld(this) == true;

    /// <summary>Gives it back, unless that was done before.</summary>
    public void Dispose() => turns?.Return(this);
}

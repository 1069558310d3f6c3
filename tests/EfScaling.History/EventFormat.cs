using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Routing;
using EfScaling.Testing.History;
using EfScaling.Topology;

namespace EfScaling.History;

/// <summary>Writes events for another process of the same program.</summary>
internal static class EventFormat
{
    /// <summary>Writes an event.</summary>
    public static void Write(BinaryWriter output, HistoryEvent happened)
    {
        output.Write((byte)happened.Operation);
        output.Write(happened.How);
        output.Write(happened.Command);
        output.Write(happened.Client);
        output.Write(happened.Session);
        output.Write(happened.Register);
        output.Write(happened.Value);
        output.Write((byte)happened.Outcome);
        output.Write((sbyte)(happened.Contract is { } contract ? (int)contract : -1));
        output.Write(happened.Limit?.Ticks ?? -1);
        output.Write(happened.Cache);
        output.Write(happened.IsUnpublished);
        output.Write(happened.Started.Ticks);
        output.Write(happened.Ended.Ticks);
        output.Write(happened.Routing is not null);
        if (happened.Routing is { } routing)
        {
            output.Write(routing.Node);
            output.Write((byte)routing.Role);
            output.Write((byte)routing.Reason);
            output.Write(routing.StalenessBound.Ticks);
            output.Write(routing.Attempts);
            output.Write((sbyte)(routing.Cache is { } cache ? (int)cache.Outcome : -1));
        }
    }

    /// <summary>Reads an event.</summary>
    public static HistoryEvent Read(BinaryReader input) => new()
    {
        Operation = (HistoryOperation)input.ReadByte(),
        How = string.Intern(input.ReadString()),
        Command = input.ReadInt64(),
        Client = input.ReadInt32(),
        Session = input.ReadInt32(),
        Register = input.ReadInt32(),
        Value = input.ReadInt64(),
        Outcome = (HistoryOutcome)input.ReadByte(),
        Contract = input.ReadSByte() is >= 0 and var contract ? (ReadContract)contract : null,
        Limit = input.ReadInt64() is >= 0 and var limit ? new TimeSpan(limit) : null,
        Cache = input.ReadInt32(),
        IsUnpublished = input.ReadBoolean(),
        Started = new TimeSpan(input.ReadInt64()),
        Ended = new TimeSpan(input.ReadInt64()),
        Routing = input.ReadBoolean() ? ReadRouting(input) : null,
    };

    private static RoutingDecision ReadRouting(BinaryReader input) =>
        new(string.Intern(input.ReadString()), (NodeRole)input.ReadByte(), (RoutingReason)input.ReadByte(), new TimeSpan(input.ReadInt64()), input.ReadInt32())
        {
            Cache = input.ReadSByte() is >= 0 and var outcome ? new CacheDecision((CacheOutcome)outcome) : null,
        };
}

namespace EfScaling.IntegrationTests.Sharding.Differential;

/// <summary>Sharded by a hash of the key.</summary>
public sealed class ByHash;

/// <summary>Sharded by ranges of the key.</summary>
public sealed class ByRange;

/// <summary>Sharded by a directory of keys over a hash.</summary>
public sealed class ByDirectory;

/// <summary>Sharded by a ring.</summary>
public sealed class ByRing;

/// <summary>Sharded by region and key.</summary>
public sealed class ByRegion;

using Npgsql;

namespace EfScaling.IntegrationTests.Replication.ChangeStream;

/// <summary>A database whose changes are read under a slot of its own name.</summary>
public sealed record LogicalDatabase(string Name, string ConnectionString)
{
    public string Slot => Name + "_slot";

    public async Task<int> ExecuteAsync(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteNonQueryAsync();
    }

    public async Task<T?> ScalarAsync<T>(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T?)await command.ExecuteScalarAsync() is { } value ? value : default;
    }

    public async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    public Task<bool> HasSlotAsync() => ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{Slot}')");
}

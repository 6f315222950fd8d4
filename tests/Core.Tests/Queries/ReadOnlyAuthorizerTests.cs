using KprobeTrace.Queries;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class ReadOnlyAuthorizerTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), "authorizer-" + Guid.NewGuid().ToString("N"));
    private readonly SqliteDatabase _database;

    public ReadOnlyAuthorizerTests()
    {
        _database = SqliteDatabase.Open(_path, create: true);
        _database.Execute("CREATE TABLE t(a); CREATE INDEX i ON t(a); CREATE VIEW events AS SELECT a AS seq, a AS comm FROM t; CREATE VIEW calls AS SELECT a AS retval FROM t; INSERT INTO t VALUES(1)");
    }

    public void Dispose()
    {
        _database.Dispose();
        File.Delete(_path);
    }

    [Theory]
    [InlineData("SELECT a FROM t")]
    [InlineData("SELECT upper(comm) FROM events")]
    [InlineData("WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 9) SELECT max(x) FROM n")]
    [InlineData("EXPLAIN QUERY PLAN SELECT * FROM t")]
    [InlineData("PRAGMA table_info(t)")]
    [InlineData("PRAGMA table_xinfo(t)")]
    [InlineData("PRAGMA table_list(t)")]
    [InlineData("PRAGMA index_list(t)")]
    [InlineData("PRAGMA index_info(i)")]
    [InlineData("PRAGMA INDEX_XINFO(i)")]
    [InlineData("PRAGMA table_list")]
    [InlineData("PRAGMA function_list")]
    [InlineData("PRAGMA compile_options")]
    [InlineData("PRAGMA database_list")]
    [InlineData("PRAGMA page_count")]
    [InlineData("PRAGMA page_size")]
    [InlineData("PRAGMA user_version")]
    [InlineData("PRAGMA application_id")]
    [InlineData("PRAGMA integrity_check")]
    [InlineData("PRAGMA quick_check")]
    [InlineData("PRAGMA encoding")]
    [InlineData("PRAGMA collation_list")]
    [InlineData("PRAGMA pragma_list")]
    public void Reading_is_allowed(string sql)
    {
        ReadOnlyAuthorizer.Install(_database);

        using SqliteStatement statement = _database.Prepare(sql);

        Assert.False(statement.IsEmpty);
    }

    [Theory]
    [InlineData("INSERT INTO t VALUES(2)")]
    [InlineData("UPDATE t SET a = 2")]
    [InlineData("DELETE FROM t")]
    [InlineData("CREATE TABLE u(a)")]
    [InlineData("CREATE TEMP TABLE u(a)")]
    [InlineData("CREATE TEMP VIEW v AS SELECT 1")]
    [InlineData("DROP TABLE t")]
    [InlineData("DROP INDEX i")]
    [InlineData("ALTER TABLE t RENAME TO u")]
    [InlineData("ATTACH ':memory:' AS other")]
    [InlineData("DETACH main")]
    [InlineData("ANALYZE")]
    [InlineData("REINDEX")]
    [InlineData("BEGIN")]
    [InlineData("SAVEPOINT s")]
    [InlineData("SELECT load_extension('x')")]
    [InlineData("SELECT LOAD_EXTENSION('x')")]
    [InlineData("PRAGMA user_version = 7")]
    [InlineData("PRAGMA application_id = 7")]
    [InlineData("PRAGMA page_size = 512")]
    [InlineData("PRAGMA encoding = 'UTF-16'")]
    [InlineData("PRAGMA integrity_check(1)")]
    [InlineData("PRAGMA journal_mode")]
    [InlineData("PRAGMA writable_schema")]
    [InlineData("PRAGMA writable_schema = 1")]
    [InlineData("PRAGMA query_only = 0")]
    [InlineData("PRAGMA hard_heap_limit = 0")]
    public void All_else_is_refused_until_the_authorizer_goes(string sql)
    {
        ReadOnlyAuthorizer.Install(_database);
        DatabaseException refused = Assert.Throws<DatabaseException>(() => Prepare(sql));
        ReadOnlyAuthorizer.Remove(_database);

        Assert.Contains("authoriz", refused.Message, StringComparison.Ordinal);
        if (!sql.Contains("EXTENSION", StringComparison.OrdinalIgnoreCase))
        {
            Prepare(sql);
        }
    }

    [Theory]
    [InlineData("SELECT * FROM event", "events")]
    [InlineData("SELECT * FROM main.call", "calls")]
    [InlineData("SELECT sec FROM events", "seq")]
    [InlineData("SELECT e.CMM FROM EVENTS e", "comm")]
    [InlineData("SELECT retvall FROM calls", "retval")]
    [InlineData("SELECT uper(comm) FROM events", "upper")]
    public void A_name_that_is_not_there_is_asked_for_by_the_nearest_that_is(string sql, string expected)
    {
        DatabaseException error = Assert.Throws<DatabaseException>(() => Prepare(sql));

        string question = SqlErrors.Ask(_database, error, sql);

        Assert.Contains(expected, question, StringComparison.Ordinal);
        Assert.Equal(error.Message + question, SqlErrors.Explain(_database, error, sql));
    }

    [Theory]
    [InlineData("SELECT retvall FROM events")]
    [InlineData("SELECT * FROM nothing_like_it")]
    [InlineData("SELECT * FROM tt")]
    [InlineData("SELECT FROM events")]
    [InlineData("SELECT seq FROM events WHERE")]
    public void Nothing_is_asked_where_no_view_that_the_statement_names_has_such_a_name(string sql)
    {
        DatabaseException error = Assert.Throws<DatabaseException>(() => Prepare(sql));

        Assert.Equal("", SqlErrors.Ask(_database, error, sql));
        Assert.Equal(error.Message, SqlErrors.Explain(_database, error, sql));
    }

    private void Prepare(string sql) => _database.Prepare(sql).Dispose();
}

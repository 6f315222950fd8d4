using KprobeTrace.Store;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tests.Store.BTree;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Store;

/// <summary>Tables whose SQL and whose rows come from the same columns.</summary>
public sealed class HistoryTableTests
{
    private static readonly HistoryTable _table = new(
        "kt_thing", ["run", "name"], new Column("run"), new Column("name", ColumnType.Text), new Column("old", ColumnType.Bytes), new Column("address", ColumnType.Address));

    [Fact]
    public void Table_says_its_columns_and_its_key()
    {
        Assert.Equal("CREATE TABLE kt_thing(run INTEGER, name TEXT, old BLOB, address INTEGER, PRIMARY KEY(run, name)) WITHOUT ROWID;\n", _table.Create);
        Assert.Equal("INSERT INTO kt_thing(run, name, old, address) VALUES(?1, ?2, ?3, ?4)", _table.Insert);
        Assert.Equal("CREATE TABLE kt_one(n INTEGER PRIMARY KEY, t TEXT);\n", new HistoryTable("kt_one", ["n"], new("n"), new("t", ColumnType.Text)).Create);
        Assert.Equal("CREATE TABLE kt_one(n INTEGER);\n", new HistoryTable("kt_one", [], new Column("n")).Create);
        Assert.Throws<ArgumentException>(() => _table["nam"]);
    }

    [Fact]
    public void Row_has_its_values_in_the_order_of_the_columns_whatever_order_they_came_in()
    {
        TableRow row = new(_table);
        byte[] first = row.Set("address", ulong.MaxValue).Set("old", [1, 2]).Set("name", "n"u8).Set("run", 7L).End().ToArray();

        Assert.Equal(TreeFile.Encode(new RecordBuilder(), [7L, "n", new byte[] { 1, 2 }, -1L]), first);
        Assert.Equal(TreeFile.Encode(new RecordBuilder(), [null, null, null, 5L]), row.Set("address", 5L).End().ToArray());
    }

    /// <summary>Rows that are filled for each event are structs, whose fields are the columns.</summary>
    [Fact]
    public void Fields_of_a_row_are_the_columns()
    {
        EventRow row = new() { Run = 1, Seq = 2, TimeNs = 3, Insn = 4, Cpu = 5, Kind = 6, Probe = 7, Comm = 9, Caller = 10, Link = 12, Stack = 13, Address = -1 };

        Assert.Equal([1, 2, 3, 4, 5, 6, 7, null, 9, 10, null, 12, 13, -1], HistoryTable.Cells(in row).ToArray());
        Assert.Equal(
            ["run", "seq", "time_ns", "insn", "cpu", "kind", "probe", "pid", "comm", "caller", "args", "link", "stack", "address"],
            HistoryTables.Event.Columns.Select(static c => c.Name));
        Assert.Equal(["run", "seq", "vector", "error_code", "cr2", "handled"], HistoryTables.Fault.Columns.Select(static c => c.Name));
    }

    [Fact]
    public void Column_that_no_field_has_is_refused() =>
        Assert.Throws<ArgumentException>(static () => HistoryTable.Of<FrameRow>("kt_frame", ["run"], new Column("dephth")));

    [Fact]
    public void Cells_are_numbers_nulls_and_one_text()
    {
        RecordBuilder record = new();
        record.Begin();
        record.Cells([1, null, 0, -5], textAt: 2, "text"u8);

        Assert.Equal(TreeFile.Encode(new RecordBuilder(), [1L, null, "text", -5L]), record.End().ToArray());

        record.Begin();
        record.Cells([1, null, null], textAt: 2, "text"u8);
        Assert.Equal(TreeFile.Encode(new RecordBuilder(), [1L, null, null]), record.End().ToArray());
    }

    [Fact]
    public void Every_register_lies_in_one_of_the_two_tables()
    {
        Assert.Equal(TraceRegisters.Names.ToArray().Order(), HistoryTables.Registers.Columns.Concat(HistoryTables.Kept.Columns).Select(static c => c.Name).Except(["run", "seq", "kept"]).Order());
        Assert.Equal(["kept", "bx", "bp", "r12", "r13", "r14", "r15", "cr3"], HistoryTables.Kept.Columns.Select(static c => c.Name));
        Assert.Equal(RegisterColumns.KeptCount, RegisterColumns.Kept.Length);
    }
}

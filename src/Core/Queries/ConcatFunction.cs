using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Store.Sqlite;
using SQLitePCL;

namespace KprobeTrace.Queries;

/// <summary><c>group_concat</c> and <c>string_agg</c> as SQLite has them, but ending the query once their text is too long.</summary>
/// <remarks>SQLite's own notice that at once as well, and then read all other rows before they say so.</remarks>
internal sealed unsafe class ConcatFunction : SqliteAggregate
{
    private const long FirstCapacity = 256;

    /// <summary>Tells SQLite to copy a text.</summary>
    private static readonly delegate* unmanaged[Cdecl]<nint, void> _copy = (delegate* unmanaged[Cdecl]<nint, void>)-1;

    private readonly SqliteDatabase _database;

    private ConcatFunction(SqliteDatabase database)
        : base(sizeof(State)) => _database = database;

    /// <summary>Takes the places of SQLite's functions in a connection.</summary>
    internal static void Register(SqliteDatabase database)
    {
        ConcatFunction function = new(database);
        function.RegisterWindow(database, "group_concat", 1);
        function.RegisterWindow(database, "group_concat", 2);
        function.RegisterWindow(database, "string_agg", 2);
    }

    /// <inheritdoc/>
    protected override void Add(FunctionContext context, void* memory, ReadOnlySpan<nint> values)
    {
        sqlite3_value value = new(values[0]);
        if (raw.sqlite3_value_type(value) == raw.SQLITE_NULL)
        {
            return;
        }

        State* state = (State*)memory;
        if (state->Count++ > 0)
        {
            ReadOnlySpan<byte> separator = values.Length == 1 ? ","u8 : raw.sqlite3_value_blob(new sqlite3_value(values[1]));
            state->SeparatorsVary |= state->Count > 2 && separator.Length != state->Separator;
            state->Separator = separator.Length;
            if (!Append(context, state, separator))
            {
                return;
            }
        }

        _ = Append(context, state, raw.sqlite3_value_blob(value));
    }

    /// <inheritdoc/>
    protected override void Leave(FunctionContext context, void* memory, ReadOnlySpan<nint> values)
    {
        State* state = (State*)memory;
        sqlite3_value value = new(values[0]);
        if (raw.sqlite3_value_type(value) == raw.SQLITE_NULL)
        {
            return;
        }

        if (state->SeparatorsVary)
        {
            raw.sqlite3_result_error(context, "group_concat over a moving window takes separators of one length"u8);
            return;
        }

        int length = raw.sqlite3_value_blob(value).Length;
        state->Start = --state->Count == 0 ? state->End : Math.Min(state->End, state->Start + length + state->Separator);
    }

    /// <inheritdoc/>
    protected override void Current(FunctionContext context, void* memory)
    {
        State* state = (State*)memory;
        if (state is null || state->Count == 0)
        {
            raw.sqlite3_result_null(context);
        }
        else
        {
            SqliteLibrary.ResultText(context.Handle, state->Text + state->Start, (int)(state->End - state->Start), _copy);
        }
    }

    /// <inheritdoc/>
    protected override void Finish(FunctionContext context, void* memory)
    {
        State* state = (State*)memory;
        if (state is null || state->Count == 0 || state->Text is null)
        {
            raw.sqlite3_result_null(context);
        }
        else if (state->Start == 0)
        {
            // SQLite takes the buffer over.
            SqliteLibrary.ResultText(context.Handle, state->Text, (int)state->End, &OnFree);
            state->Text = null;
        }
        else
        {
            SqliteLibrary.ResultText(context.Handle, state->Text + state->Start, (int)(state->End - state->Start), _copy);
        }

        if (state is not null)
        {
            raw.sqlite3_free((nint)state->Text);
            *state = default;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnFree(nint text) => raw.sqlite3_free(text);

    /// <summary>Adds bytes; false where there is no room for them, which is then the query's error.</summary>
    private bool Append(FunctionContext context, State* state, ReadOnlySpan<byte> bytes)
    {
        long most = _database.MostBytes;
        long used = state->End - state->Start;
        if (used + bytes.Length > most)
        {
            raw.sqlite3_result_error_toobig(context);
            return false;
        }

        if (state->End + bytes.Length > state->Capacity)
        {
            Buffer.MemoryCopy(state->Text + state->Start, state->Text, state->Capacity, used);
            (state->Start, state->End) = (0, used);
        }

        if (state->End + bytes.Length > state->Capacity || state->Text is null)
        {
            long capacity = Math.Max(Math.Max(FirstCapacity, used + bytes.Length), Math.Min(2 * state->Capacity, most));
            byte* larger = SqliteLibrary.Reallocate(state->Text, (ulong)capacity);
            if (larger is null)
            {
                raw.sqlite3_result_error_nomem(context);
                return false;
            }

            state->Text = larger;
            state->Capacity = capacity;
        }

        // SAFETY: the buffer has been made long enough.
        bytes.CopyTo(new Span<byte>(state->Text + state->End, bytes.Length));
        state->End += bytes.Length;
        return true;
    }

    /// <summary>The text of one group, in SQLite's memory, which is limited.</summary>
    private struct State
    {
        public byte* Text;
        public long Capacity;
        public long Start;
        public long End;
        public long Count;
        public long Separator;
        public bool SeparatorsVary;
    }
}

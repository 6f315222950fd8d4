using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary><c>group_concat</c> and <c>string_agg</c> as SQLite has them, but ending the query once their text is too long.</summary>
/// <remarks>SQLite's own notice that at once as well, and then read all other rows before they say so.</remarks>
internal static unsafe class ConcatFunction
{
    private const long FirstCapacity = 256;

    /// <summary>Takes the places of SQLite's functions in a connection.</summary>
    internal static void Register(nint database)
    {
        Create(database, "group_concat", 1);
        Create(database, "group_concat", 2);
        Create(database, "string_agg", 2);
    }

    private static void Create(nint database, string name, int arguments)
    {
        // SAFETY: the name is NUL-terminated and copied by SQLite; the functions are static.
        fixed (byte* text = Encoding.UTF8.GetBytes(name + "\0"))
        {
            _ = SqliteLibrary.CreateWindowFunction(
                database, text, arguments, SqliteLibrary.Utf8 | SqliteLibrary.Deterministic | SqliteLibrary.Innocuous, 0,
                &Add, &Finish, &Current, &Leave, null);
        }
    }

    // SAFETY (all callbacks): SQLite passes valid value pointers and keeps them alive during the call, and the state, which begins as
    // zeros; nothing here throws.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Add(nint context, int count, nint* values)
    {
        if (SqliteLibrary.ValueStoredType(values[0]) == SqliteLibrary.TypeNull)
        {
            return;
        }

        State* state = (State*)SqliteLibrary.AggregateContext(context, sizeof(State));
        if (state is null)
        {
            SqliteLibrary.ResultNoMemory(context);
            return;
        }

        if (state->Count++ > 0)
        {
            byte comma = (byte)',';
            byte* separator = count == 1 ? &comma : SqliteLibrary.ValueText(values[1]);
            int length = count == 1 ? 1 : separator is null ? 0 : SqliteLibrary.ValueBytes(values[1]);
            state->SeparatorsVary |= state->Count > 2 && length != state->Separator;
            state->Separator = length;
            if (!Append(context, state, separator, length))
            {
                return;
            }
        }

        byte* text = SqliteLibrary.ValueText(values[0]);
        if (text is null)
        {
            SqliteLibrary.ResultNoMemory(context);
            return;
        }

        _ = Append(context, state, text, SqliteLibrary.ValueBytes(values[0]));
    }

    /// <summary>Takes the first value out of a window.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Leave(nint context, int count, nint* values)
    {
        State* state = (State*)SqliteLibrary.AggregateContext(context, sizeof(State));
        if (state is null || SqliteLibrary.ValueStoredType(values[0]) == SqliteLibrary.TypeNull)
        {
            return;
        }

        if (state->SeparatorsVary)
        {
            Fail(context, "group_concat over a moving window takes separators of one length"u8);
            return;
        }

        _ = SqliteLibrary.ValueText(values[0]);
        long length = SqliteLibrary.ValueBytes(values[0]);
        state->Start = --state->Count == 0 ? state->End : Math.Min(state->End, state->Start + length + state->Separator);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Current(nint context)
    {
        State* state = (State*)SqliteLibrary.AggregateContext(context, 0);
        if (state is null || state->Count == 0)
        {
            SqliteLibrary.ResultNull(context);
        }
        else
        {
            SqliteLibrary.ResultText(context, state->Text + state->Start, (int)(state->End - state->Start), SqliteLibrary.Transient);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Finish(nint context)
    {
        State* state = (State*)SqliteLibrary.AggregateContext(context, 0);
        if (state is null || state->Count == 0 || state->Text is null)
        {
            SqliteLibrary.ResultNull(context);
        }
        else if (state->Start == 0)
        {
            // SQLite takes the buffer over.
            SqliteLibrary.ResultText(context, state->Text, (int)state->End, SqliteLibrary.FreeMemory);
            state->Text = null;
        }
        else
        {
            SqliteLibrary.ResultText(context, state->Text + state->Start, (int)(state->End - state->Start), SqliteLibrary.Transient);
        }

        if (state is not null)
        {
            SqliteLibrary.Free(state->Text);
            *state = default;
        }
    }

    /// <summary>Adds bytes; false where there is no room for them, which is then the query's error.</summary>
    private static bool Append(nint context, State* state, byte* bytes, long length)
    {
        long most = SqliteLibrary.Limit(SqliteLibrary.DatabaseOf(context), SqliteLibrary.LimitLength, -1);
        long used = state->End - state->Start;
        if (used + length > most)
        {
            SqliteLibrary.ResultTooBig(context);
            return false;
        }

        if (state->End + length > state->Capacity)
        {
            Buffer.MemoryCopy(state->Text + state->Start, state->Text, state->Capacity, used);
            (state->Start, state->End) = (0, used);
        }

        if (state->End + length > state->Capacity || state->Text is null)
        {
            long capacity = Math.Max(Math.Max(FirstCapacity, used + length), Math.Min(2 * state->Capacity, most));
            byte* larger = SqliteLibrary.Reallocate(state->Text, (ulong)capacity);
            if (larger is null)
            {
                SqliteLibrary.ResultNoMemory(context);
                return false;
            }

            state->Text = larger;
            state->Capacity = capacity;
        }

        Buffer.MemoryCopy(bytes, state->Text + state->End, state->Capacity - state->End, length);
        state->End += length;
        return true;
    }

    private static void Fail(nint context, ReadOnlySpan<byte> message)
    {
        fixed (byte* bytes = message)
        {
            SqliteLibrary.ResultError(context, bytes, message.Length);
        }
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

using System.Globalization;
using System.Text;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>The text that makes a failing case understandable and repeatable.</summary>
internal static class CaseReport
{
    public static string Write(TestCase one, ulong seed, IEnumerable<string> differences)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{one.Form} case {one.Index} seed {seed} at {one.Address:x}: ");
        text.Append(Convert.ToHexStringLower(one.Bytes)).Append("  ").AppendLine(Disassemble(one));
        AppendInputs(text, one);
        foreach (string difference in differences)
        {
            text.Append("    ").AppendLine(difference);
        }

        return text.ToString();
    }

    private static string Disassemble(TestCase one)
    {
        var formatter = new IntelFormatter();
        var output = new StringOutput();
        formatter.Format(one.Instruction, output);
        return output.ToStringAndReset();
    }

    /// <summary>The inputs that matter: the registers the instruction uses, flags, and the memory laid under it.</summary>
    private static void AppendInputs(StringBuilder text, TestCase one)
    {
        text.Append(CultureInfo.InvariantCulture, $"  in: rflags={one.Initial.Rflags:x}");
        bool sse = false;
        bool x87 = one.Instruction.Mnemonic.ToString().StartsWith('F');
        foreach (UsedRegister used in new InstructionInfoFactory().GetInfo(one.Instruction).GetUsedRegisters())
        {
            Register register = used.Register;
            if (register.IsXMM())
            {
                sse = true;
                AppendBytes(text, $"xmm{register.GetNumber()}", one.Initial.Fx.AsSpan(FxImages.XmmOffset + (register.GetNumber() * 16), 16));
            }
            else if (register.IsMM())
            {
                x87 = true;
                AppendBytes(text, $"mm{register.GetNumber()}", one.Initial.Fx.AsSpan(FxImages.MmxOffset(one.Initial.Fx, register.GetNumber()), 8));
            }
            else if (register.IsGPR())
            {
                Register full = register.GetFullRegister();
                text.Append(CultureInfo.InvariantCulture, $" {full.ToString().ToLowerInvariant()}={one.Initial.Gpr[full.GetNumber()]:x}");
            }
        }

        if (sse)
        {
            text.Append(CultureInfo.InvariantCulture, $" mxcsr={BitConverter.ToUInt32(one.Initial.Fx, FxImages.MxcsrOffset):x}");
        }

        if (x87)
        {
            text.Append(CultureInfo.InvariantCulture, $" fcw={BitConverter.ToUInt16(one.Initial.Fx, 0):x}");
            text.Append(CultureInfo.InvariantCulture, $" fsw={BitConverter.ToUInt16(one.Initial.Fx, 2):x} ftw={one.Initial.Fx[4]:x}");
            for (int i = 0; i < 8; i++)
            {
                AppendBytes(text, $"st{i}", one.Initial.Fx.AsSpan(FxImages.RegistersOffset + (i * 16), 10));
            }
        }

        text.AppendLine();
        foreach (MemoryPatch patch in one.Patches)
        {
            text.Append(CultureInfo.InvariantCulture, $"  memory {OracleLayout.WritableAddress(patch.Offset):x}: ");
            text.AppendLine(Convert.ToHexStringLower(patch.Bytes));
        }
    }

    private static void AppendBytes(StringBuilder text, string name, Span<byte> bytes)
    {
        byte[] reversed = bytes.ToArray();
        Array.Reverse(reversed);
        text.Append(CultureInfo.InvariantCulture, $" {name}={Convert.ToHexStringLower(reversed)}");
    }
}

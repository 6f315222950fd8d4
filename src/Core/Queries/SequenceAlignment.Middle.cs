namespace KprobeTrace.Queries;

/// <content>The middle of a shortest edit script (E. W. Myers, An O(ND) Difference Algorithm and Its Variations, §4b).</content>
internal sealed partial class SequenceAlignment
{
    /// <summary>Difference up to which two parts are compared exactly.</summary>
    private const int MaxExactDifference = 12_000;

    /// <summary>What a diagonal holds that no path reaches.</summary>
    private const int Unreached = -(1 << 30);

    private int[] _forward = [];
    private int[] _backward = [];

    /// <summary>
    /// Paths from the beginning and from the end meet in the middle of a longest common subsequence: at a run of equal
    /// elements, which may be empty. False where the limits do not let them meet.
    /// </summary>
    private bool FindMiddle(int a0, int a1, int b0, int b1, out (int A, int B, int Length) middle)
    {
        int n = a1 - a0;
        int m = b1 - b0;
        int delta = n - m;
        bool isOdd = (delta & 1) != 0;
        int limit = Math.Min((n + m + 1) / 2, MaxExactDifference / 2);
        int zero = limit + 1;
        Prepare((2 * limit) + 3, zero);
        middle = default;
        for (int d = 0; d <= limit && _stepsLeft > 0; d++)
        {
            _stepsLeft -= 2 * (d + 1);
            for (int k = -d; k <= d; k += 2)
            {
                int x = Next(_forward, zero, d, k, n, m);
                int start = x;
                while (x >= 0 && x < n && x - k < m && _a[a0 + x] == _b[b0 + x - k])
                {
                    x++;
                }

                _forward[zero + k] = x;
                int other = delta - k;
                if (isOdd && x >= 0 && other > -d && other < d && x + _backward[zero + other] >= n)
                {
                    middle = (a0 + start, b0 + start - k, x - start);
                    return true;
                }
            }

            for (int k = -d; k <= d; k += 2)
            {
                int x = Next(_backward, zero, d, k, n, m);
                int start = x;
                while (x >= 0 && x < n && x - k < m && _a[a1 - 1 - x] == _b[b1 - 1 - x + k])
                {
                    x++;
                }

                _backward[zero + k] = x;
                int other = delta - k;
                if (!isOdd && x >= 0 && other >= -d && other <= d && x + _forward[zero + other] >= n)
                {
                    middle = (a1 - x, b1 - x + k, x - start);
                    return true;
                }
            }
        }

        return false;
    }

    private void Prepare(int length, int zero)
    {
        if (_forward.Length < length)
        {
            _forward = new int[length];
            _backward = new int[length];
        }

        Array.Fill(_forward, Unreached, 0, length);
        Array.Fill(_backward, Unreached, 0, length);
        _forward[zero + 1] = 0;
        _backward[zero + 1] = 0;
    }

    /// <summary>Where a path of <paramref name="d"/> edits first stands on diagonal <paramref name="k"/>.</summary>
    private static int Next(int[] reached, int zero, int d, int k, int n, int m)
    {
        int left = reached[zero + k - 1];
        int right = reached[zero + k + 1];
        int x = k == -d || (k != d && left < right) ? right : left + 1;
        return x < 0 || x > n || x - k > m || x < k ? Unreached : x;
    }
}

namespace KprobeTrace.Probes;

/// <content>Connectors, negation and parentheses; the jumps between comparisons.</content>
internal sealed partial class EventFilterParser
{
    private const int None = -1;
    private readonly List<Node> _nodes = [];

    private enum NodeKind : byte
    {
        Term,
        Not,
        And,
        Or,
    }

    /// <summary>A part of the expression. <c>First</c> is the comparison evaluated first in it.</summary>
    private readonly record struct Node(NodeKind Kind, int Left, int Right, int First);

    /// <summary>What is open inside one pair of parentheses.</summary>
    private record struct Group(bool Invert, int And, int Or);

    private bool ParseTerms()
    {
        Stack<Group> outer = new();
        Group group = new(false, None, None);
        bool invert = false;
        int i = SkipBlanks(0);
        if (i == _text.Length)
        {
            return Fail(FilterErrorCode.NoFilter, 0);
        }

        while (true)
        {
            i = SkipBlanks(i);
            if (i >= _text.Length || _text[i] == ')')
            {
                return Fail(_predicates.Count == 0 ? FilterErrorCode.NoFilter : FilterErrorCode.Meaningless, i);
            }

            if (_text[i] == '(')
            {
                outer.Push(group);
                group = new Group(invert, None, None);
                invert = false;
                i++;
                continue;
            }

            if (_text[i] == '!' && At(i + 1) is not ('=' or '~'))
            {
                invert = !invert;
                i++;
                continue;
            }

            i = ParseTerm(i);
            if (i < 0)
            {
                return false;
            }

            int index = _predicates.Count - 1;
            int value = Add(NodeKind.Term, index, None, index);
            value = invert ? Negate(value) : value;
            invert = false;
            if (!ParseConnectors(ref i, ref group, outer, value, out bool ended))
            {
                return false;
            }

            if (ended)
            {
                return true;
            }
        }
    }

    /// <summary>Reads what follows a term: closing parentheses, then a connector or the end.</summary>
    private bool ParseConnectors(ref int i, ref Group group, Stack<Group> outer, int value, out bool ended)
    {
        ended = false;
        while (true)
        {
            i = SkipBlanks(i);
            value = group.And == None ? value : Join(NodeKind.And, group.And, value);
            group.And = None;
            char c = At(i);
            if (c is '&' or '|' && At(i + 1) == c)
            {
                i += 2;
                if (c == '&')
                {
                    group.And = value;
                }
                else
                {
                    group.Or = group.Or == None ? value : Join(NodeKind.Or, group.Or, value);
                }

                return true;
            }

            if (i < _text.Length && c != ')')
            {
                return Fail(FilterErrorCode.TooManyTerms, i);
            }

            value = group.Or == None ? value : Join(NodeKind.Or, group.Or, value);
            if (i >= _text.Length)
            {
                ended = true;
                Link(value);
                return true;
            }

            value = group.Invert ? Negate(value) : value;
            group = outer.Pop();
            i++;
        }
    }

    private int Negate(int value) => Add(NodeKind.Not, value, None, _nodes[value].First);

    private int Join(NodeKind kind, int left, int right) => Add(kind, left, right, _nodes[left].First);

    private int Add(NodeKind kind, int left, int right, int first)
    {
        _nodes.Add(new Node(kind, left, right, first));
        return _nodes.Count - 1;
    }

    /// <summary>Gives every comparison its two places to go on at, from the root down.</summary>
    private void Link(int root)
    {
        Stack<(int Node, int WhenTrue, int WhenFalse, bool Negated)> open = new();
        open.Push((root, FilterPredicate.Match, FilterPredicate.Mismatch, false));
        while (open.TryPop(out (int Node, int WhenTrue, int WhenFalse, bool Negated) item))
        {
            Node node = _nodes[item.Node];
            switch (node.Kind)
            {
                case NodeKind.Not:
                    open.Push((node.Left, item.WhenFalse, item.WhenTrue, !item.Negated));
                    break;
                case NodeKind.And:
                    open.Push((node.Left, _nodes[node.Right].First, item.WhenFalse, item.Negated));
                    open.Push((node.Right, item.WhenTrue, item.WhenFalse, item.Negated));
                    break;
                case NodeKind.Or:
                    open.Push((node.Left, item.WhenTrue, _nodes[node.Right].First, item.Negated));
                    open.Push((node.Right, item.WhenTrue, item.WhenFalse, item.Negated));
                    break;
                default:
                    FilterPredicate predicate = _predicates[node.Left];
                    predicate.WhenTrue = item.WhenTrue;
                    predicate.WhenFalse = item.WhenFalse;
                    predicate.WhenUnknown = item.Negated ? item.WhenTrue : item.WhenFalse;
                    _predicates[node.Left] = predicate;
                    break;
            }
        }
    }
}

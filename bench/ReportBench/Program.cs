using KprobeTrace.Bench;

SyntheticTrace.Write(args[1], int.Parse(args[0]));
return 0;

global using KprobeTrace.Tests.Guests;

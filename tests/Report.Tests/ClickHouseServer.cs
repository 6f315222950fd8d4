using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace KprobeTrace.Tests.Report;

/// <summary>Two ClickHouse servers on loopback that form one cluster of two shards.</summary>
internal sealed class ClickHouseServer : IDisposable
{
    private readonly List<Process> _processes = [];
    private readonly List<int> _http = [];
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromMinutes(2) };

    internal ClickHouseServer(string program, string folder)
    {
        int[] ports = FreePorts(6);
        string shards = string.Concat(((int[])[ports[0], ports[3]]).Select(static p =>
            $"<shard><replica><host>127.0.0.1</host><port>{p}</port></replica></shard>"));
        for (int i = 0; i < 2; i++)
        {
            string home = Directory.CreateDirectory(Path.Combine(folder, "server" + i)).FullName;
            _ = Directory.CreateDirectory(Path.Combine(home, "tmp"));
            int tcp = ports[3 * i];
            _http.Add(ports[(3 * i) + 1]);
            File.WriteAllText(Path.Combine(home, "users.xml"), """
                <yandex>
                  <profiles><default><max_memory_usage>2000000000</max_memory_usage></default></profiles>
                  <users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
                  <quotas><default></default></quotas>
                </yandex>
                """);
            File.WriteAllText(Path.Combine(home, "config.xml"), $"""
                <yandex>
                  <logger><level>warning</level><log>{home}/log</log><errorlog>{home}/errors</errorlog></logger>
                  <http_port>{ports[(3 * i) + 1]}</http_port>
                  <tcp_port>{tcp}</tcp_port>
                  <interserver_http_port>{ports[(3 * i) + 2]}</interserver_http_port>
                  <interserver_http_host>127.0.0.1</interserver_http_host>
                  <listen_host>127.0.0.1</listen_host>
                  <path>{home}/</path>
                  <tmp_path>{home}/tmp/</tmp_path>
                  <users_config>{home}/users.xml</users_config>
                  <default_profile>default</default_profile>
                  <default_database>default</default_database>
                  <mark_cache_size>67108864</mark_cache_size>
                  <uncompressed_cache_size>67108864</uncompressed_cache_size>
                  <max_concurrent_queries>20</max_concurrent_queries>
                  <remote_servers><kprobetrace>{shards}</kprobetrace></remote_servers>
                </yandex>
                """);
            ProcessStartInfo start = new(program)
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
                WorkingDirectory = home,
            };
            start.ArgumentList.Add("--config-file=" + Path.Combine(home, "config.xml"));
            Process process = Process.Start(start)!;
            process.OutputDataReceived += static (_, _) => { };
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            _processes.Add(process);
        }

        for (int i = 0; i < 2; i++)
        {
            WaitFor(i);
        }
    }

    /// <summary>Runs a statement on one of the servers and returns the answer.</summary>
    internal string Run(string sql, int server = 0, byte[]? data = null)
    {
        string url = $"http://127.0.0.1:{_http[server]}/?database=kprobetrace&insert_distributed_sync=1&query={Uri.EscapeDataString(sql)}";
        if (sql.StartsWith("CREATE DATABASE", StringComparison.Ordinal) || sql == "SELECT 1")
        {
            url = url.Replace("database=kprobetrace", "database=default", StringComparison.Ordinal);
        }

        using ByteArrayContent content = new(data ?? []);
        using HttpResponseMessage response = _client.PostAsync(new Uri(url), content).GetAwaiter().GetResult();
        string text = response.Content.ReadAsStringAsync().GetAwaiter().GetResult();
        return response.IsSuccessStatusCode
            ? text
            : throw new InvalidOperationException($"{sql[..Math.Min(200, sql.Length)]}: {text}");
    }

    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }

        _client.Dispose();
    }

    private void WaitFor(int server)
    {
        Stopwatch clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                _ = Run("SELECT 1", server);
                return;
            }
            catch (HttpRequestException) when (clock.Elapsed.TotalSeconds < 60 && !_processes[server].HasExited)
            {
                Thread.Sleep(100);
            }
        }
    }

    private static int[] FreePorts(int count)
    {
        List<TcpListener> listeners = [];
        for (int i = 0; i < count; i++)
        {
            TcpListener listener = new(IPAddress.Loopback, 0);
            listener.Start();
            listeners.Add(listener);
        }

        int[] ports = [.. listeners.Select(static l => ((IPEndPoint)l.LocalEndpoint).Port)];
        listeners.ForEach(static l => l.Stop());
        return ports;
    }
}

-- Prints what wrk counted as one line of JSON, for the scripts beside it.
done = function(summary, latency)
    local e = summary.errors
    print(string.format(
        '{"requests":%d,"bytes":%d,"duration_us":%d,"refused":%d,"failed":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d}',
        summary.requests, summary.bytes, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end

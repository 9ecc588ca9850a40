-- wrk -s post.lua URL -- BODY: post a file; the last line is requests, microseconds, p50 and p99 in ms, refusals.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  local file = io.open(args[1])
  wrk.body = file:read("*a")
  file:close()
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  print(string.format("%d %d %.3f %.3f %d", summary.requests, summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end

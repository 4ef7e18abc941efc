-- Driver script for wrk. Arguments: METHOD BODY_BYTES TARGETS, where TARGETS is "-" or a file with "HOST PATH" lines that
-- are requested in turn. Prints one line of JSON at the end.
local requests, at

function init(args)
  wrk.method = args[1]
  local body_bytes = tonumber(args[2])
  if body_bytes > 0 then
    wrk.body = string.rep("x", body_bytes)
    wrk.headers["Content-Type"] = "application/json"
  end
  if args[3] == "-" then
    local only = wrk.format()
    request = function() return only end
    return
  end
  requests, at = {}, 0
  for line in io.lines(args[3]) do
    local host, path = line:match("^(%S+) (%S+)$")
    wrk.headers["Host"] = host
    requests[#requests + 1] = wrk.format(wrk.method, path)
  end
  request = function()
    at = at % #requests + 1
    return requests[at]
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"bytes":%d,"connect_errors":%d,"read_errors":%d,"write_errors":%d,' ..
    '"timeouts":%d,"bad_status":%d,"p50_us":%.1f,"p90_us":%.1f,"p99_us":%.1f,"p999_us":%.1f,"max_us":%.1f}\n',
    summary.requests, summary.duration, summary.bytes, errors.connect, errors.read, errors.write, errors.timeout,
    errors.status, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max))
end

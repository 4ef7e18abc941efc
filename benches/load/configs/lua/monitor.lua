-- Request records as ingress-nginx collects them with metrics on: a table per request in the log phase, sent as one JSON
-- array per second over a unix socket, at most 10000 records per worker and second.
local cjson = require("cjson.safe")

local MAX_BATCH = 10000
local FLUSH_SECONDS = 1

local _M = {}
local batch = {}
local count = 0
local socket_path = ""

local function record()
  local var = ngx.var
  return {
    host = var.host or "-",
    namespace = var.namespace or "-",
    ingress = var.ingress_name or "-",
    service = var.service_name or "-",
    canary = var.proxy_alternative_upstream_name or "-",
    path = var.location_path or "-",
    method = var.request_method or "-",
    status = var.status or "-",
    requestLength = tonumber(var.request_length) or -1,
    requestTime = tonumber(var.request_time) or -1,
    responseLength = tonumber(var.bytes_sent) or -1,
    upstreamLatency = tonumber(var.upstream_connect_time) or -1,
    upstreamHeaderTime = tonumber(var.upstream_header_time) or -1,
    upstreamResponseTime = tonumber(var.upstream_response_time) or -1,
  }
end

local function flush(premature)
  if premature or count == 0 then return end
  local current = batch
  batch, count = {}, 0
  local payload, err = cjson.encode(current)
  if not payload then
    ngx.log(ngx.ERR, "could not encode the records: ", err)
    return
  end
  local sink = ngx.socket.tcp()
  local ok
  ok, err = sink:connect("unix:" .. socket_path)
  if ok then ok, err = sink:send(payload) end
  if not ok then
    ngx.log(ngx.ERR, "could not send the records: ", err)
    return
  end
  sink:close()
end

function _M.init_worker(path)
  socket_path = path
  local ok, err = ngx.timer.every(FLUSH_SECONDS, flush)
  if not ok then ngx.log(ngx.ERR, "no timer for records: ", err) end
end

function _M.call()
  if count >= MAX_BATCH then return end
  count = count + 1
  batch[count] = record()
end

return _M

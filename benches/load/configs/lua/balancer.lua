-- Endpoint selection as ingress-nginx does it in Lua: backends are pushed as JSON into a shared dictionary, every worker
-- polls it once a second, and each request asks its backend for a peer. Round robin only: it is the reference's default.
local cjson = require("cjson.safe")
local ngx_balancer = require("ngx.balancer")

local PROHIBITED_PEER = "^127.*:10246$"
local SYNC_SECONDS = 1

local _M = {}
local backends = {}
local synced_at = 0

local RoundRobin = {}
RoundRobin.__index = RoundRobin

function RoundRobin.new(backend)
  local peers = {}
  for i, endpoint in ipairs(backend.endpoints) do
    peers[i] = endpoint.address .. ":" .. endpoint.port
  end
  return setmetatable({ peers = peers, at = math.random(#peers), alternative_backends = backend.alternativeBackends }, RoundRobin)
end

function RoundRobin:balance()
  local at = self.at + 1
  if at > #self.peers then at = 1 end
  self.at = at
  return self.peers[at]
end

local function sync()
  local data = ngx.shared.configuration_data
  local raw_at = data:get("raw_backends_last_synced_at") or 1
  if raw_at <= synced_at then return end
  local list, err = cjson.decode(data:get("backends") or "[]")
  if not list then
    ngx.log(ngx.ERR, "could not parse backends: ", err)
    return
  end
  local fresh = {}
  for _, backend in ipairs(list) do
    if #backend.endpoints > 0 then fresh[backend.name] = RoundRobin.new(backend) end
  end
  backends = fresh
  synced_at = raw_at
end

-- No backend of these scenarios has a canary, so the questions end early, as they mostly do in production.
local function takes_alternative(balancer)
  if balancer.is_affinitized and balancer:is_affinitized() then return false end
  return balancer.alternative_backends ~= nil and balancer.alternative_backends[1] ~= nil
end

local function current()
  local ctx = ngx.ctx
  if ctx.balancer then return ctx.balancer end
  local balancer = backends[ngx.var.proxy_upstream_name]
  if not balancer then return nil end
  if takes_alternative(balancer) then return nil end
  ctx.balancer = balancer
  return balancer
end

function _M.init_worker()
  sync()
  local ok, err = ngx.timer.every(SYNC_SECONDS, sync)
  if not ok then ngx.log(ngx.ERR, "no timer for backends: ", err) end
end

function _M.rewrite()
  if not current() then
    ngx.status = ngx.HTTP_SERVICE_UNAVAILABLE
    return ngx.exit(ngx.status)
  end
end

function _M.balance()
  local balancer = current()
  if not balancer then return end
  local peer = balancer:balance()
  if not peer then
    ngx.log(ngx.WARN, "no peer was returned")
    return
  end
  if peer:match(PROHIBITED_PEER) then
    ngx.log(ngx.ERR, "attempted to proxy to self, balancer: ", ngx.var.proxy_upstream_name)
    return
  end
  ngx_balancer.set_more_tries(1)
  local ok, err = ngx_balancer.set_current_peer(peer)
  if not ok then ngx.log(ngx.ERR, "error while setting the peer ", peer, ": ", err) end
end

function _M.log()
  local balancer = current()
  if balancer and balancer.after_balance then balancer:after_balance() end
end

return _M

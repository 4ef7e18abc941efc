-- The rewrite and header-filter steps as ingress-nginx does them in Lua: forwarded host, scheme and port, the decision
-- whether to redirect to HTTPS, and Strict-Transport-Security.
local re_sub = ngx.re.sub

local _M = {}

local config = {
  use_forwarded_headers = false,
  use_proxy_protocol = false,
  is_ssl_passthrough_enabled = false,
  http_redirect_code = 308,
  listen_ports = { ssl_proxy = "442", https = "443" },
  hsts = true,
  hsts_max_age = "31536000",
  hsts_include_subdomains = true,
  hsts_preload = false,
}

function _M.init(settings)
  for key, value in pairs(settings) do config[key] = value end
end

-- Whether the host, or the wildcard beside it, has a certificate of its own.
local function has_certificate(host)
  local servers = ngx.shared.certificate_servers
  if servers:get(host) then return true end
  local wildcard = re_sub(host, "^[^\\.]+\\.", "*.", "jo")
  return servers:get(wildcard) ~= nil
end

local function location_flags()
  local var = ngx.var
  return {
    force_ssl_redirect = var.force_ssl_redirect == "true",
    ssl_redirect = var.ssl_redirect == "true",
    force_no_ssl_redirect = var.force_no_ssl_redirect == "true",
    preserve_trailing_slash = var.preserve_trailing_slash == "true",
    use_port_in_redirects = var.use_port_in_redirects == "true",
  }
end

local function wants_https(flags)
  if flags.force_no_ssl_redirect then return false end
  if flags.force_ssl_redirect and ngx.var.pass_access_scheme == "http" then return true end
  if ngx.var.pass_access_scheme ~= "http" then return false end
  return flags.ssl_redirect and has_certificate(ngx.var.host)
end

local function https_location(flags)
  local host = re_sub(ngx.var.best_http_host, ":\\d+$", "", "jo")
  local uri = ngx.var.request_uri
  if not flags.preserve_trailing_slash and uri:sub(-1) == "/" then uri = uri:sub(1, -2) end
  if flags.use_port_in_redirects then host = host .. ":" .. config.listen_ports.https end
  return "https://" .. host .. uri
end

function _M.rewrite()
  local flags = location_flags()
  local var = ngx.var
  var.pass_access_scheme = var.scheme
  var.best_http_host = var.http_host or var.host
  var.pass_port = var.pass_server_port

  if config.use_forwarded_headers then
    var.pass_access_scheme = var.http_x_forwarded_proto or var.scheme
    var.pass_port = var.http_x_forwarded_port or var.pass_server_port
    var.best_http_host = var.http_x_forwarded_host or var.best_http_host
  end
  if config.use_proxy_protocol and var.proxy_protocol_server_port == "443" then
    var.pass_access_scheme = "https"
  end
  if config.is_ssl_passthrough_enabled then
    if var.pass_server_port == config.listen_ports.ssl_proxy then var.pass_port = 443 end
  elseif var.pass_server_port == config.listen_ports.https then
    var.pass_port = 443
  end

  if wants_https(flags) then
    return ngx.redirect(https_location(flags), config.http_redirect_code)
  end
end

function _M.header()
  if config.hsts and ngx.var.scheme == "https" and has_certificate(ngx.var.host) then
    local value = "max-age=" .. config.hsts_max_age
    if config.hsts_include_subdomains then value = value .. "; includeSubDomains" end
    if config.hsts_preload then value = value .. "; preload" end
    ngx.header["Strict-Transport-Security"] = value
  end
end

return _M

//! Keys about the process: logs, traces, raw configuration, tuning.

use super::{Row, Section, row};

pub(super) static SECTIONS: &[Section] = &[
    Section { heading: "Logs", rows: LOGS },
    Section { heading: "Traces", rows: TRACES },
    Section { heading: "Raw configuration", rows: RAW },
    Section { heading: "The process", rows: PROCESS },
    Section { heading: "Without effect in ingress-nginx as well", rows: DEAD },
];

#[rustfmt::skip]
const LOGS: &[Row] = &[
    row("access-log-params", "empty", "Further words of nginx's log directive. Lines are gathered for half a second, 32 KiB at most, whatever `buffer=` and `flush=` say; `gzip` and `if=` are named in a warning."),
    row("access-log-path", "standard output", "Where requests and sessions are logged: an absolute path, `syslog:server=host:port` with nginx's `facility=`, `severity=`, `tag=` and `nohostname`, or `off`. A file that was moved is made anew with the next lines, and with every SIGUSR1. What cannot be opened has a verdict, and its lines go to standard output."),
    row("debug-connections", "–", "Clients whose connections nginx logs in detail."),
    row("disable-access-log", "`false`", "No access log."),
    row("disable-http-access-log", "`false`", "No access log of HTTP."),
    row("disable-stream-access-log", "`false`", "No access log of TCP and UDP services."),
    row("enable-access-log-for-default-backend", "`false`", "Requests for unknown hosts are logged, too."),
    row("enable-auth-access-log", "`false`", "Questions to the services of `auth-url` and `global-auth-url` have lines of their own, in the form of requests; also those that are answered from memory."),
    row("enable-syslog", "`false`", "The access log of HTTP and the error log go to `syslog-host`, one UDP datagram for each line (RFC 3164, `local7`, tag `nginx`), whatever the paths say. That of TCP and UDP services does not, as in the reference."),
    row("error-log-level", "`notice`", "The least grave messages of the data plane that are written: `debug`, `info` or `notice`, `warn`, `error` and what is graver. What the controller has to say about objects is written all the same."),
    row("error-log-path", "standard error", "Where messages of the data plane go, as `access-log-path` has it; the controller's go to standard error."),
    row("http-access-log-path", "empty", "The same for HTTP only."),
    row("log-format-escape-json", "`false`", "Values in the log are escaped as JSON wants them."),
    row("log-format-escape-none", "`false`", "Values in the log are not escaped."),
    row("log-format-stream", "the reference's", "Form of the lines of TCP and UDP services."),
    row("log-format-upstream", "the reference's", "Form of the lines of HTTP."),
    row("skip-access-log-urls", "empty", "Targets that are not logged: a whole one, or a pattern behind `~` or `~*`."),
    row("stream-access-log-path", "empty", "The same for TCP and UDP services only."),
    row("syslog-host", "empty", "Receiver of logs."),
    row("syslog-port", "`514`", "Its port."),
];

#[rustfmt::skip]
const TRACES: &[Row] = &[
    row("enable-opentelemetry", "`false`", "Spans of all requests."),
    row("opentelemetry-config", "–", "A file of the reference's."),
    row("opentelemetry-operation-name", "empty", "Name of the spans; may contain variables. Empty: the path of the rule."),
    row("opentelemetry-trust-incoming-span", "`true`", "Goes on with the client's trace."),
    row("otel-max-export-batch-size", "`512`", "Spans that are sent at once."),
    row("otel-max-queuesize", "`2048`", "Spans that wait to be sent."),
    row("otel-sampler", "`AlwaysOn`", "Which traces that begin here are recorded: `AlwaysOn`, `AlwaysOff` or `TraceIdRatioBased`."),
    row("otel-sampler-parent-based", "`true`", "Of traces of clients those are recorded that are recorded there."),
    row("otel-sampler-ratio", "`0.01`", "Share of requests for `TraceIdRatioBased`."),
    row("otel-schedule-delay-millis", "`5000`", "Milliseconds after which spans are sent, if there is no whole batch before."),
    row("otel-service-name", "`nginx`", "Name of the service in traces."),
    row("otlp-collector-host", "empty", "Receiver of spans (OTLP over gRPC). Empty: nobody gets them ([traces](tracing.md))."),
    row("otlp-collector-port", "`4317`", "Its port."),
];

#[rustfmt::skip]
const RAW: &[Row] = &[
    row("http-snippet", "empty", "Directives around all hosts, see [Snippets](annotations.md#snippets). One that is not understood denies all locations."),
    row("location-snippet", "empty", "Directives for every location, behind those of its Ingress."),
    row("main-snippet", "empty", "Directives for nginx as a whole: refused with a warning, there is none."),
    row("server-snippet", "empty", "Directives for every host, behind those of its Ingresses and `app-root`."),
    row("stream-snippet", "empty", "Directives for TCP and UDP services: refused with a warning."),
];

#[rustfmt::skip]
const PROCESS: &[Row] = &[
    row("Resolver", "–", "An inner name of the reference."),
    row("enable-aio-write", "–", "How nginx writes files."),
    row("enable-multi-accept", "–", "How nginx accepts connections."),
    row("enable-serial-reloads", "–", "How nginx reloads. There are no reloads here."),
    row("geoip2-autoreload-in-minutes", "`0`", "Minutes after which the databases are read again. There are none here, and a warning says so."),
    row("headgate-standby", "`false`", "Beside another controller: serves, and writes nothing to the cluster. See [install.md](install.md)."),
    row("lua-shared-dicts", "–", "Memory of the reference's scripts."),
    row("map-hash-bucket-size", "–", "A table of nginx."),
    row("max-worker-connections", "–", "A table of nginx."),
    row("max-worker-open-files", "–", "A limit of nginx's processes."),
    row("proxy-headers-hash-bucket-size", "–", "A table of nginx."),
    row("proxy-headers-hash-max-size", "–", "A table of nginx."),
    row("server-name-hash-bucket-size", "–", "A table of nginx."),
    row("server-name-hash-max-size", "–", "A table of nginx."),
    row("use-geoip2", "`false`", "Knows where addresses are, from licensed databases. There are none here: a warning says so, and `$geoip2_…` is empty in log formats."),
    row("variables-hash-bucket-size", "–", "A table of nginx."),
    row("variables-hash-max-size", "–", "A table of nginx."),
    row("worker-cpu-affinity", "–", "Where nginx's processes run."),
    row("worker-processes", "one per core", "Threads that serve requests. They are made at the start: use `--workers`. Other values than `auto` have a warning."),
    row("worker-shutdown-timeout", "`240s`", "How long open requests may go on when the process ends. It takes the place of `--drain-timeout`."),
];

#[rustfmt::skip]
const DEAD: &[Row] = &[
    row("jaeger-baggage-header", "–", "Jaeger, which the reference no longer has."),
    row("jaeger-collector-host", "–", "The same."),
    row("jaeger-collector-port", "–", "The same."),
    row("jaeger-debug-header", "–", "The same."),
    row("jaeger-endpoint", "–", "The same."),
    row("jaeger-propagation-format", "–", "The same."),
    row("jaeger-sampler-host", "–", "The same."),
    row("jaeger-sampler-param", "–", "The same."),
    row("jaeger-sampler-port", "–", "The same."),
    row("jaeger-sampler-type", "–", "The same."),
    row("jaeger-service-name", "–", "The same."),
    row("jaeger-trace-baggage-header-prefix", "–", "The same."),
    row("jaeger-trace-context-header-name", "–", "The same."),
    row("use-geoip", "–", "The predecessor of `use-geoip2`."),
];

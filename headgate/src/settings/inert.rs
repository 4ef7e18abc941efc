//! Flags of the reference that are accepted, so that a command line can be taken over as it is, but change nothing:
//! they tune what does not exist here, or ask for what there is none of. Each is named once in the log.

use clap::Args;

/// The flags without effect.
#[derive(Debug, Args)]
pub struct Inert {
    #[arg(long = "log_dir", hide = true, value_name = "VALUE")]
    log_dir: Option<String>,
    #[arg(long = "log_file", hide = true, value_name = "VALUE")]
    log_file: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    vmodule: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    stderrthreshold: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    logtostderr: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    alsologtostderr: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    bucket_factor: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    default_server_port: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    dynamic_configuration_retries: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_ssl_chain_completion: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    exclude_socket_metrics: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    health_check_timeout: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    internal_logger_address: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    length_buckets: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    max_buckets: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    maxmind_edition_ids: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    maxmind_license_key: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    maxmind_mirror: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    maxmind_retries_count: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    maxmind_retries_timeout: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    monitor_max_batch_size: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    post_shutdown_grace_period: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    profiler_address: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    profiler_port: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    profiling: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    size_buckets: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    ssl_passthrough_proxy_port: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    status_port: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    stream_port: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    sync_period: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    sync_rate_limit: Option<String>,
    #[arg(long, hide = true, value_name = "VALUE")]
    time_buckets: Option<String>,
}

const BUCKETS: &str = "histograms have the buckets that they have without it";

/// What it means that a flag has no effect, where that changes what is served, or how.
const MEANINGS: [(&str, &str); 10] = [
    (
        "--default-server-port",
        "there is no port for requests that nobody sends; requests for unknown hosts are answered on the other ports",
    ),
    (
        "--enable-ssl-chain-completion",
        "certificates are sent as their Secrets have them: put those between them and the authority into tls.crt",
    ),
    ("--time-buckets", BUCKETS),
    ("--length-buckets", BUCKETS),
    ("--size-buckets", BUCKETS),
    ("--bucket-factor", "there are no native histograms"),
    ("--max-buckets", "there are no native histograms"),
    ("--exclude-socket-metrics", "all metrics of requests are collected"),
    ("--maxmind-edition-ids", "there is no GeoIP database here"),
    ("--maxmind-license-key", "there is no GeoIP database here"),
];

/// The ports that the reference keeps for itself, with the flags that change them: nobody has a TCP or UDP service there.
const KEPT_PORTS: [u16; 5] = [442, 8181, 10245, 10246, 10247];

impl Inert {
    /// Ports that the reference does not give to TCP and UDP services, because it uses them itself (operations §10).
    pub fn kept_ports(&self) -> impl Iterator<Item = u16> {
        let given = [
            &self.ssl_passthrough_proxy_port,
            &self.default_server_port,
            &self.profiler_port,
            &self.status_port,
            &self.stream_port,
        ];
        let port = |(given, usual): (&Option<String>, u16)| match given {
            Some(port) => port.parse().unwrap_or(usual),
            None => usual,
        };
        given.into_iter().zip(KEPT_PORTS).map(port)
    }

    /// Names the flags that were given in the log.
    pub fn report(&self) {
        for flag in self.given() {
            match MEANINGS.iter().find(|(name, _)| *name == flag) {
                Some((_, meaning)) => tracing::warn!("{flag} has no effect: {meaning}"),
                None => tracing::info!("{flag} is accepted and has no effect"),
            }
        }
    }

    /// The flags that were given, by name.
    pub(super) fn given(&self) -> Vec<&'static str> {
        [
            (self.log_dir.is_some(), "--log_dir"),
            (self.log_file.is_some(), "--log_file"),
            (self.vmodule.is_some(), "--vmodule"),
            (self.stderrthreshold.is_some(), "--stderrthreshold"),
            (self.logtostderr.is_some(), "--logtostderr"),
            (self.alsologtostderr.is_some(), "--alsologtostderr"),
            (self.bucket_factor.is_some(), "--bucket-factor"),
            (self.default_server_port.is_some(), "--default-server-port"),
            (self.dynamic_configuration_retries.is_some(), "--dynamic-configuration-retries"),
            (self.enable_ssl_chain_completion.is_some(), "--enable-ssl-chain-completion"),
            (self.exclude_socket_metrics.is_some(), "--exclude-socket-metrics"),
            (self.health_check_timeout.is_some(), "--health-check-timeout"),
            (self.internal_logger_address.is_some(), "--internal-logger-address"),
            (self.length_buckets.is_some(), "--length-buckets"),
            (self.max_buckets.is_some(), "--max-buckets"),
            (self.maxmind_edition_ids.is_some(), "--maxmind-edition-ids"),
            (self.maxmind_license_key.is_some(), "--maxmind-license-key"),
            (self.maxmind_mirror.is_some(), "--maxmind-mirror"),
            (self.maxmind_retries_count.is_some(), "--maxmind-retries-count"),
            (self.maxmind_retries_timeout.is_some(), "--maxmind-retries-timeout"),
            (self.monitor_max_batch_size.is_some(), "--monitor-max-batch-size"),
            (self.post_shutdown_grace_period.is_some(), "--post-shutdown-grace-period"),
            (self.profiler_address.is_some(), "--profiler-address"),
            (self.profiler_port.is_some(), "--profiler-port"),
            (self.profiling.is_some(), "--profiling"),
            (self.size_buckets.is_some(), "--size-buckets"),
            (self.ssl_passthrough_proxy_port.is_some(), "--ssl-passthrough-proxy-port"),
            (self.status_port.is_some(), "--status-port"),
            (self.stream_port.is_some(), "--stream-port"),
            (self.sync_period.is_some(), "--sync-period"),
            (self.sync_rate_limit.is_some(), "--sync-rate-limit"),
            (self.time_buckets.is_some(), "--time-buckets"),
        ]
        .into_iter()
        .filter_map(|(given, name)| given.then_some(name))
        .collect()
    }
}

//! What the metrics are configured with at start-up.

/// Start-up settings of the metrics. The defaults are the reference's (configmap-and-flags §12), but for
/// [`Self::max_series`], which it does not have.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Record and show anything beside process metrics (`--enable-metrics`).
    pub enabled: bool,
    /// Whether request metrics have the label `host` (`--metrics-per-host`).
    pub per_host: bool,
    /// Whether requests for hosts that no configuration names are counted, too (`--metrics-per-undefined-host`).
    pub per_undefined_host: bool,
    /// Show `2xx` instead of codes (`--report-status-classes`).
    pub status_classes: bool,
    /// Upper bounds of the duration histograms in seconds, ascending (`--time-buckets`).
    pub time_buckets: Vec<f64>,
    /// Upper bounds of `request_size` and `response_size` in bytes, ascending (`--length-buckets`).
    pub length_buckets: Vec<f64>,
    /// Upper bounds of `bytes_sent` in bytes, ascending (`--size-buckets`).
    pub size_buckets: Vec<f64>,
    /// Names of request metrics to leave out, with or without prefix (`--exclude-socket-metrics`).
    pub exclude: Vec<String>,
    /// Largest number of series that all workers together keep; requests beyond it are counted as overflow only.
    pub max_series: usize,
    /// The constant labels.
    pub instance: Instance,
}

/// Values of the constant labels, and of `build_info`.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `controller_class`, from `--controller-class`.
    pub class: String,
    /// `controller_namespace`, from `POD_NAMESPACE`.
    pub namespace: String,
    /// `controller_pod`, from `POD_NAME`.
    pub pod: String,
    /// Version of the program.
    pub release: String,
    /// Commit that it was built from.
    pub build: String,
    /// Where its source is.
    pub repository: String,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            per_host: true,
            per_undefined_host: false,
            status_classes: false,
            time_buckets: vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
            length_buckets: (1..=10).map(|step| f64::from(step * 10)).collect(),
            size_buckets: (1..=7).map(|power| 10_f64.powi(power)).collect(),
            exclude: Vec::new(),
            max_series: 50_000,
            instance: Instance::default(),
        }
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            class: "k8s.io/ingress-nginx".into(),
            namespace: "default".into(),
            pod: String::new(),
            release: env!("CARGO_PKG_VERSION").into(),
            build: String::new(),
            repository: String::new(),
        }
    }
}

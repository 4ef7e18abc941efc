//! The command line. Flags carry the reference's names and defaults (configmap-and-flags §12).

mod inert;
mod patterns;
mod webhook;
mod write_back;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, Args, Parser, Subcommand};
use headgate_controller::{
    Access, LabelSelector, NamespaceScope, NamespacedName, Options, WriteBack,
};
use headgate_gateway::{
    listen::tls::check_certificate,
    observe::metrics::{Instance, MetricsSettings},
};

use self::write_back::WriteBackFlags;
pub use self::{
    inert::Inert,
    patterns::PATTERN_CHECK,
    webhook::{WebhookCertificate, WebhookFlags, WebhookPlan},
};

/// Kubernetes ingress controller and API gateway.
///
/// Serves the Ingresses of the cluster that it runs in, or that a kubeconfig names:
///
///   headgate --kubeconfig ~/.kube/config --http-port 8080 --https-port 8443
///
/// Or those of a folder of manifests, no cluster needed, as the files change:
///
///   headgate --manifests ./manifests --http-port 8080 --https-port 8443
///
/// Try it with the bundled application:
///
///   headgate demo
#[derive(Debug, Parser)]
#[command(
    name = "headgate",
    verbatim_doc_comment,
    disable_version_flag = true,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do; without it, serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: Serve,
}

/// Other things that the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the bundled blog application and a gateway in front of it, on loopback
    Demo(Demo),
    /// Print the version
    Version,
}

/// Where objects come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Folders of manifests.
    Manifests(Vec<PathBuf>),
    /// An API server, and what is written there.
    Cluster(Access, Box<WriteBack>),
}

/// Takes the application's highest port, 4005, to the last there is.
const MOST_SHIFT: i64 = 65_535 - 4005;

/// Settings of `headgate demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Port for HTTP
    #[arg(long, default_value_t = 8080)]
    pub http_port: u16,
    /// Port for HTTPS
    #[arg(long, default_value_t = 8443)]
    pub https_port: u16,
    /// Port for /healthz, /readyz, /metrics and /api/routes; / lists what there is
    #[arg(long, default_value_t = 10254)]
    pub healthz_port: u16,
    /// Serve these manifests instead of the bundled ones
    #[arg(long, value_name = "DIR")]
    pub manifests: Option<PathBuf>,
    /// Add this to the ports of the application's services, which are 3000, 4000 to 4003 and 4005
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=MOST_SHIFT))]
    pub app_port_shift: u16,
    /// Where posts and comments are kept [default: headgate/demo in the user's state directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Settings of the controller and the gateway.
#[derive(Debug, Args)]
pub struct Serve {
    /// Folder with manifests (YAML or JSON), watched; may be repeated
    #[arg(long, value_name = "DIR")]
    pub manifests: Vec<PathBuf>,

    /// Kubeconfig of the cluster to serve [default: the pod's ServiceAccount, then $KUBECONFIG and ~/.kube/config]
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// URL of the API server, in place of the one in the kubeconfig
    #[arg(long, value_name = "URL", help_heading = "Cluster")]
    pub apiserver_host: Option<String>,
    /// Certificates that the API server's must be signed by, with --apiserver-host
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub certificate_authority: Option<PathBuf>,

    /// Port for HTTP
    #[arg(long, default_value_t = 80, help_heading = "Listeners")]
    pub http_port: u16,
    /// Port for HTTPS
    #[arg(long, default_value_t = 443, help_heading = "Listeners")]
    pub https_port: u16,
    /// Address of the HTTP and HTTPS listeners
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED), help_heading = "Listeners")]
    pub bind_address: IpAddr,
    /// Port for /healthz, /readyz, /metrics and /api/routes; / lists what there is
    #[arg(long, default_value_t = 10254, help_heading = "Listeners")]
    pub healthz_port: u16,
    /// Address of that port [default: the value of --bind-address]
    #[arg(long, help_heading = "Listeners")]
    pub healthz_host: Option<IpAddr>,
    /// Pass TLS connections through, undecrypted, to hosts with the annotation ssl-passthrough
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Listeners")]
    pub enable_ssl_passthrough: bool,
    /// Path that answers health probes, also on the default host
    #[arg(long, default_value = "/healthz", help_heading = "Listeners")]
    pub health_check_path: String,
    /// Worker threads [default: one per available core]
    #[arg(long, help_heading = "Listeners")]
    pub workers: Option<usize>,

    /// Value of the annotation kubernetes.io/ingress.class that is ours
    #[arg(long, default_value = "nginx", help_heading = "Which objects count")]
    pub ingress_class: String,
    /// spec.controller of the IngressClasses that are ours
    #[arg(long, default_value = "k8s.io/ingress-nginx", help_heading = "Which objects count")]
    pub controller_class: String,
    /// The IngressClass named like --ingress-class is ours, whatever its controller
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Which objects count")]
    pub ingress_class_by_name: bool,
    /// Serve Ingresses that name no class
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Which objects count")]
    pub watch_ingress_without_class: bool,
    /// Follow the zone hints of EndpointSlices, where a Service asks for that
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Which objects count")]
    pub enable_topology_aware_routing: bool,
    /// Only objects of this namespace
    #[arg(long, default_value = "", help_heading = "Which objects count")]
    pub watch_namespace: String,
    /// Only Ingresses of namespaces with these labels
    #[arg(long, default_value = "", help_heading = "Which objects count")]
    pub watch_namespace_selector: String,
    /// Ignore Ingresses with a default backend
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Which objects count")]
    pub disable_catch_all: bool,
    /// Refuse Ingresses whose fields look like injected configuration
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = ArgAction::Set, help_heading = "Which objects count")]
    pub deep_inspect: bool,
    /// Prefix of annotation names
    #[arg(
        long,
        default_value = "nginx.ingress.kubernetes.io",
        help_heading = "Which objects count"
    )]
    pub annotations_prefix: String,
    /// Check the values of annotations
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = ArgAction::Set, help_heading = "Which objects count")]
    pub enable_annotation_validation: bool,
    /// Services of type ExternalName have no endpoints
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Which objects count")]
    pub disable_svc_external_name: bool,

    /// ConfigMap with the settings for all hosts, as namespace/name
    #[arg(long, help_heading = "Configuration objects")]
    pub configmap: Option<NamespacedName>,
    /// ConfigMap with TCP ports to open and the Services behind them, as namespace/name
    #[arg(long, help_heading = "Configuration objects")]
    pub tcp_services_configmap: Option<NamespacedName>,
    /// ConfigMap with UDP ports to open and the Services behind them, as namespace/name
    #[arg(long, help_heading = "Configuration objects")]
    pub udp_services_configmap: Option<NamespacedName>,
    /// Service for requests that no host or path takes, as namespace/name
    #[arg(long, help_heading = "Configuration objects")]
    pub default_backend_service: Option<NamespacedName>,
    /// Secret of the default certificate, as namespace/name
    #[arg(long, help_heading = "Configuration objects")]
    pub default_ssl_certificate: Option<NamespacedName>,

    /// Count requests and connections; without it /metrics only tells about the process
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Metrics")]
    pub enable_metrics: bool,
    /// Label requests with their host
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = ArgAction::Set, help_heading = "Metrics")]
    pub metrics_per_host: bool,
    /// Count requests for unknown hosts, too
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Metrics")]
    pub metrics_per_undefined_host: bool,
    /// Label requests with 2xx instead of 200
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, help_heading = "Metrics")]
    pub report_status_classes: bool,

    /// Seconds between the signal to stop and the end of accepting
    #[arg(long, default_value_t = 0, help_heading = "Shutdown")]
    pub shutdown_grace_period: u64,
    /// Seconds that open requests get to end
    #[arg(long, default_value_t = 240, help_heading = "Shutdown")]
    pub drain_timeout: u64,

    /// How much the log says: 0 and 1 what changes and what is wrong; 2 also what is decided about each Ingress, host,
    /// upstream, status and Lease; 3 and 4 also each object, file, list, lookup and write on the way there, and each
    /// failed handshake; 5 and more also where each request leads. Without LEVEL it is 3. $RUST_LOG overrides it
    #[arg(short, long, value_name = "LEVEL", num_args = 0..=1, default_value_t = 0, default_missing_value = "3")]
    pub v: u32,
    /// Print the version and exit
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub version: bool,
    /// What is written to the cluster.
    #[command(flatten)]
    pub write_back: WriteBackFlags,
    /// The validating webhook.
    #[command(flatten)]
    pub webhook: WebhookFlags,
    /// Flags that are understood but change nothing here.
    #[command(flatten)]
    pub inert: Inert,
}

impl Serve {
    /// How long open requests get.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_secs(self.drain_timeout)
    }

    /// How many workers.
    pub fn worker_count(&self) -> usize {
        self.workers
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
            .max(1)
    }

    /// Where objects come from.
    pub fn source(&self) -> anyhow::Result<Source> {
        let write_back = self.write_back.write_back(pod())?;
        if !self.manifests.is_empty() {
            return Ok(Source::Manifests(self.manifests.clone()));
        }
        let path = |path: &Option<PathBuf>| path.clone().filter(|it| !it.as_os_str().is_empty());
        let access = Access {
            kubeconfig: path(&self.kubeconfig),
            host: self.apiserver_host.clone().filter(|host| !host.is_empty()),
            authority: path(&self.certificate_authority),
            pod: pod(),
            wants_zone: self.enable_topology_aware_routing,
        };
        Ok(Source::Cluster(access, Box::new(write_back)))
    }

    /// Flags that say which cluster to serve, although folders of manifests are served.
    pub fn ignored_flags(&self) -> impl Iterator<Item = &'static str> {
        let is_given = |path: &Option<PathBuf>| path.iter().any(|it| !it.as_os_str().is_empty());
        let flags = [
            ("--kubeconfig", is_given(&self.kubeconfig)),
            ("--apiserver-host", self.apiserver_host.iter().any(|host| !host.is_empty())),
            ("--certificate-authority", is_given(&self.certificate_authority)),
        ];
        let has_folders = !self.manifests.is_empty();
        flags.into_iter().filter(move |(_, given)| has_folders && *given).map(|(flag, _)| flag)
    }

    /// What the controller is told.
    pub fn controller(&self) -> anyhow::Result<Options> {
        anyhow::ensure!(
            self.watch_namespace.is_empty() || self.watch_namespace_selector.is_empty(),
            "flags --watch-namespace and --watch-namespace-selector are mutually exclusive"
        );
        let namespaces = if !self.watch_namespace.is_empty() {
            NamespaceScope::One(self.watch_namespace.clone())
        } else if !self.watch_namespace_selector.is_empty() {
            let selector =
                self.watch_namespace_selector.parse::<LabelSelector>().map_err(|error| {
                    anyhow::anyhow!(
                        "--watch-namespace-selector={}: {error}",
                        self.watch_namespace_selector
                    )
                })?;
            NamespaceScope::Labelled(selector)
        } else {
            NamespaceScope::All
        };
        Ok(Options {
            namespaces,
            ingress_class: self.ingress_class.clone(),
            controller_class: self.controller_class.clone(),
            ingress_class_by_name: self.ingress_class_by_name,
            watch_ingress_without_class: self.watch_ingress_without_class,
            disable_catch_all: self.disable_catch_all,
            default_backend_service: self.default_backend_service.clone(),
            default_ssl_certificate: self.default_ssl_certificate.clone(),
            configmap: self.configmap.clone(),
            tcp_services_configmap: self.tcp_services_configmap.clone(),
            udp_services_configmap: self.udp_services_configmap.clone(),
            reserved_ports: self.own_ports(),
            ssl_passthrough: self.enable_ssl_passthrough,
            annotations_prefix: self.annotations_prefix.clone(),
            enable_annotation_validation: self.enable_annotation_validation,
            deep_inspect: self.deep_inspect,
            disable_full_test: self.webhook.disable_full_test,
            disable_svc_external_name: self.disable_svc_external_name,
            health_check_path: self.health_check_path.clone(),
            resolve_services_by_name: !self.manifests.is_empty(),
            certificate_check: Some(check_certificate),
            pattern_check: Some(PATTERN_CHECK),
            ..Options::default()
        })
    }

    /// Ports that no TCP or UDP service may have.
    fn own_ports(&self) -> Vec<u16> {
        let own = [self.http_port, self.https_port, self.healthz_port];
        own.into_iter().chain(self.inert.kept_ports()).collect()
    }

    /// What the metrics are told.
    pub fn metrics(&self) -> anyhow::Result<MetricsSettings> {
        anyhow::ensure!(
            self.metrics_per_host || !self.metrics_per_undefined_host,
            "--metrics-per-undefined-host=true needs --metrics-per-host=true"
        );
        let variable = |name| std::env::var(name).unwrap_or_default();
        let namespace = Some(variable("POD_NAMESPACE")).filter(|name| !name.is_empty());
        Ok(MetricsSettings {
            enabled: self.enable_metrics,
            per_host: self.metrics_per_host,
            per_undefined_host: self.metrics_per_undefined_host,
            status_classes: self.report_status_classes,
            instance: Instance {
                namespace: namespace.unwrap_or_else(|| "default".into()),
                class: self.controller_class.clone(),
                pod: variable("POD_NAME"),
                ..Instance::default()
            },
            ..MetricsSettings::default()
        })
    }
}

/// The pod that this process runs in, as a Deployment tells it.
fn pod() -> Option<NamespacedName> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    Some(NamespacedName { namespace: variable("POD_NAMESPACE")?, name: variable("POD_NAME")? })
}

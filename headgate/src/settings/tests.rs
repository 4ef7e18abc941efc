//! The flags of the reference as its documentation and its code have them (configmap-and-flags §12), each with what has become
//! of it here.

use clap::{CommandFactory, Parser};

use super::Cli;

/// What does here what it does there.
#[rustfmt::skip]
const HONOURED: [&str; 46] = [
    "annotations-prefix", "apiserver-host", "certificate-authority", "configmap", "controller-class", "deep-inspect",
    "default-backend-service", "default-ssl-certificate", "disable-catch-all", "disable-full-test",
    "disable-leader-election", "disable-svc-external-name", "disable-sync-events", "election-id", "election-ttl",
    "enable-annotation-validation", "enable-metrics", "enable-ssl-passthrough", "enable-topology-aware-routing",
    "health-check-path", "healthz-host", "healthz-port", "http-port", "https-port", "ingress-class",
    "ingress-class-by-name", "kubeconfig", "metrics-per-host", "metrics-per-undefined-host", "publish-service",
    "publish-status-address", "report-node-internal-ip-address", "report-status-classes", "shutdown-grace-period",
    "status-update-interval", "tcp-services-configmap", "udp-services-configmap", "update-status",
    "update-status-on-shutdown", "validating-webhook", "validating-webhook-certificate", "validating-webhook-key",
    "version", "watch-ingress-without-class", "watch-namespace", "watch-namespace-selector",
];

/// What only tunes nginx, or asks for what there is none of here.
#[rustfmt::skip]
const WITHOUT_EFFECT: [&str; 26] = [
    "bucket-factor", "default-server-port", "dynamic-configuration-retries", "enable-ssl-chain-completion",
    "exclude-socket-metrics", "health-check-timeout", "internal-logger-address", "length-buckets", "max-buckets",
    "maxmind-edition-ids", "maxmind-license-key", "maxmind-mirror", "maxmind-retries-count", "maxmind-retries-timeout",
    "monitor-max-batch-size", "post-shutdown-grace-period", "profiler-address", "profiler-port", "profiling",
    "size-buckets", "ssl-passthrough-proxy-port", "status-port", "stream-port", "sync-period", "sync-rate-limit",
    "time-buckets",
];

#[test]
fn every_flag_of_the_reference_is_known_and_those_without_effect_are_named_when_given() {
    assert_eq!(HONOURED.len() + WITHOUT_EFFECT.len(), 72);
    let command = Cli::command();
    let shown = |flag: &str| {
        let argument = command.get_arguments().find(|it| it.get_long() == Some(flag));
        argument.map(|argument| !argument.is_hide_set())
    };
    for flag in HONOURED {
        assert_eq!(shown(flag), Some(true), "{flag}");
    }
    for flag in WITHOUT_EFFECT {
        assert_eq!(shown(flag), Some(false), "{flag}");
        let cli = Cli::try_parse_from(["headgate", &format!("--{flag}=1")]);
        let cli = cli.expect("it is known");
        assert_eq!(cli.serve.inert.given(), [format!("--{flag}")]);
    }
}

#[test]
fn nothing_is_hidden_that_is_not_named_when_given() {
    let hidden = Cli::command();
    let hidden = hidden.get_arguments().filter(|argument| argument.is_hide_set());
    for flag in hidden.filter_map(|argument| argument.get_long()) {
        let cli = Cli::try_parse_from(["headgate", &format!("--{flag}=1")]);
        let cli = cli.expect("it is known");
        assert_eq!(cli.serve.inert.given(), [format!("--{flag}")]);
    }
}

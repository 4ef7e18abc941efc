//! A command line of the reference is taken over as it is: every flag that it knows parses here (configmap-and-flags §12).

use crate::support::{Scene, run};

/// Flags with a value, each with one that the reference accepts.
const VALUED: &[(&str, &str)] = &[
    ("apiserver-host", "https://127.0.0.1:6443"),
    ("certificate-authority", "/etc/ca.crt"),
    ("kubeconfig", "/root/.kube/config"),
    ("watch-namespace", "team"),
    ("watch-namespace-selector", "team=a,stage!=test"),
    ("sync-period", "10m"),
    ("sync-rate-limit", "0.5"),
    ("ingress-class", "internal"),
    ("controller-class", "example.com/ingress"),
    ("annotations-prefix", "ingress.example.com"),
    ("configmap", "ingress/config"),
    ("tcp-services-configmap", "ingress/tcp"),
    ("udp-services-configmap", "ingress/udp"),
    ("default-backend-service", "ingress/default"),
    ("default-ssl-certificate", "ingress/certificate"),
    ("http-port", "8080"),
    ("https-port", "8443"),
    ("default-server-port", "8181"),
    ("healthz-port", "10254"),
    ("healthz-host", "127.0.0.1"),
    ("health-check-path", "/alive"),
    ("health-check-timeout", "10"),
    ("status-port", "10246"),
    ("stream-port", "10247"),
    ("ssl-passthrough-proxy-port", "442"),
    ("profiler-port", "10245"),
    ("profiler-address", "127.0.0.1"),
    ("internal-logger-address", "127.0.0.1:11514"),
    ("publish-service", "ingress/front"),
    ("publish-status-address", "192.0.2.1,front.example.com"),
    ("status-update-interval", "60"),
    ("election-id", "leader"),
    ("election-ttl", "30s"),
    ("validating-webhook", ":8443"),
    ("validating-webhook-certificate", "/certificates/cert"),
    ("validating-webhook-key", "/certificates/key"),
    ("time-buckets", "0.1,1,10"),
    ("length-buckets", "10,20"),
    ("size-buckets", "10,100"),
    ("bucket-factor", "1.1"),
    ("max-buckets", "100"),
    ("exclude-socket-metrics", "request_size,response_size"),
    ("monitor-max-batch-size", "20000"),
    ("shutdown-grace-period", "5"),
    ("post-shutdown-grace-period", "10"),
    ("dynamic-configuration-retries", "15"),
    ("maxmind-mirror", "https://mirror.example.com"),
    ("maxmind-license-key", "none"),
    ("maxmind-edition-ids", "GeoLite2-City"),
    ("maxmind-retries-count", "1"),
    ("maxmind-retries-timeout", "0s"),
];

/// Flags that are on or off.
const SWITCHES: &[&str] = &[
    "disable-sync-events",
    "ingress-class-by-name",
    "watch-ingress-without-class",
    "disable-catch-all",
    "deep-inspect",
    "enable-annotation-validation",
    "disable-svc-external-name",
    "enable-topology-aware-routing",
    "enable-ssl-chain-completion",
    "enable-ssl-passthrough",
    "profiling",
    "update-status",
    "update-status-on-shutdown",
    "report-node-internal-ip-address",
    "disable-leader-election",
    "disable-full-test",
    "enable-metrics",
    "metrics-per-host",
    "metrics-per-undefined-host",
    "report-status-classes",
];

#[test]
fn every_flag_of_the_reference_is_known() {
    // `--version` is the last of them: it ends the program after the command line was understood.
    assert_eq!(VALUED.len() + SWITCHES.len() + 1, 72);
}

#[test]
fn flags_with_a_value_take_it_in_both_forms() {
    for (flag, value) in VALUED {
        parses(&[&format!("--{flag}={value}")]);
        parses(&[&format!("--{flag}"), value]);
    }
}

#[test]
fn switches_can_be_named_and_turned_off() {
    for flag in SWITCHES {
        parses(&[&format!("--{flag}")]);
        parses(&[&format!("--{flag}=true")]);
        parses(&[&format!("--{flag}=false")]);
    }
}

#[test]
fn how_much_is_logged_can_be_said_in_every_form() {
    for arguments in
        [&["-v", "3"][..], &["-v=3"], &["-v3"], &["--v=3"], &["--v", "3"], &["-v=1000"], &["-v"]]
    {
        parses(arguments);
    }
}

#[test]
fn a_flag_without_effect_is_named_in_the_log() {
    // The folder is missing, so the program ends; by then it has read its flags.
    let ended = run(&[
        "--manifests=/nonexistent/manifests",
        "--bind-address=127.0.0.1",
        "--http-port=0",
        "--https-port=0",
        "--healthz-port=0",
        "--maxmind-mirror=https://mirror.example.com",
    ]);
    let lines = ended.err.lines().filter(|line| line.contains("--maxmind-mirror"));
    assert_eq!(lines.count(), 1, "{}", ended.err);
}

fn parses(arguments: &[&str]) {
    let ended = run(&[arguments, &["--version"]].concat());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.err);
}

#[tokio::test]
async fn what_says_which_cluster_to_serve_is_warned_about_beside_a_folder() {
    let flags = "--kubeconfig=/nowhere --apiserver-host=http://127.0.0.1:1 --configmap=a/missing";
    let scene = Scene::start_with(flags).await;
    let log = scene.log();
    for flag in ["--kubeconfig", "--apiserver-host"] {
        assert!(log.contains(&format!("{flag} has no effect with --manifests")), "{log}");
    }
    assert!(!log.contains("--certificate-authority"), "{log}");
    let verdicts = scene.table().await["verdicts"].clone();
    assert_eq!(verdicts[0]["reason"], "ConfigMapNotFound", "{verdicts}");
}

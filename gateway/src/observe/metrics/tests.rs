use std::{collections::BTreeMap, rc::Rc, thread};

use headgate_config::ObjectRef;
use http::Method;

use super::*;
use std::time::Duration;

type Samples = BTreeMap<String, f64>;

fn metrics(change: impl FnOnce(&mut MetricsSettings)) -> Arc<Metrics> {
    let mut settings = MetricsSettings { enabled: true, ..MetricsSettings::default() };
    settings.instance.pod = "pod-1".into();
    change(&mut settings);
    Metrics::new(settings)
}

fn origin(ingress: &str, path: &str) -> Arc<Origin> {
    Arc::new(Origin {
        object: Some(ObjectRef {
            kind: "Ingress".into(),
            namespace: "shop".into(),
            name: ingress.into(),
        }),
        path: path.into(),
        service: "cart".into(),
        port: "80".into(),
    })
}

fn request<'a>(location: &'a LocationKey, host: &'a NameKey) -> RequestRecord<'a> {
    RequestRecord {
        location,
        host: Some(host),
        canary: None,
        method: &Method::GET,
        status: 200,
        request_time: Duration::from_millis(30),
        request_length: 15,
        bytes_sent: 5_000,
        upstream: None,
    }
}

fn text(metrics: &Arc<Metrics>) -> String {
    let chunks: Vec<u8> = metrics.scrape().flatten().collect();
    String::from_utf8(chunks).unwrap()
}

/// All samples by name and labels. Checks the form of the text: each family once, its head before its samples.
fn samples(metrics: &Arc<Metrics>) -> Samples {
    let mut samples = Samples::new();
    let mut families = Vec::new();
    for line in text(metrics).lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(!families.contains(&name.to_owned()), "{name} comes twice");
            families.push(name.to_owned());
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let family = families.last().unwrap();
            assert!(sample.starts_with(family.as_str()), "{sample} is not in {family}");
            let before = samples.insert(sample.to_owned(), value.parse().unwrap());
            assert_eq!(before, None, "{sample} comes twice");
        }
    }
    samples
}

/// The samples of one request metric, by its labels without the constant ones.
fn of(samples: &Samples, name: &str) -> Vec<(String, f64)> {
    let prefix = format!("{}{name}{{", text::PREFIX);
    let constants = "controller_class=\"k8s.io/ingress-nginx\",controller_namespace=\"default\",controller_pod=\"pod-1\",";
    let samples = samples.iter().filter_map(|(sample, value)| {
        let labels = sample.strip_prefix(&prefix)?.strip_suffix('}')?;
        Some((labels.replace(constants, ""), *value))
    });
    samples.collect()
}

#[test]
fn a_request_is_counted_under_the_references_labels() {
    let metrics = metrics(|_| {});
    let (location, host) = (metrics.location(&origin("web", "/cart")), metrics.name("a.test"));
    let worker = metrics.worker();
    worker.record(&request(&location, &host));
    assert_eq!(
        of(&samples(&metrics), "requests"),
        [(
            "canary=\"\",host=\"a.test\",ingress=\"web\",method=\"GET\",namespace=\"shop\",path=\"/cart\",\
             service=\"cart\",status=\"200\""
                .to_owned(),
            1.0
        )]
    );
}

#[test]
fn histograms_are_cumulative_and_have_the_references_bounds() {
    let metrics = metrics(|_| {});
    let (location, host) = (metrics.location(&origin("web", "/")), metrics.name("a.test"));
    let worker = metrics.worker();
    worker.record(&request(&location, &host));
    worker.record(&RequestRecord {
        request_time: Duration::from_secs(20),
        ..request(&location, &host)
    });
    let samples = samples(&metrics);
    let buckets = |name: &str| -> BTreeMap<String, f64> {
        let buckets = of(&samples, &format!("{name}_bucket")).into_iter();
        buckets
            .map(|(labels, value)| (labels.rsplit_once("le=").unwrap().1.to_owned(), value))
            .collect()
    };
    let times = buckets("request_duration_seconds");
    assert_eq!(times.len(), 12);
    assert_eq!((times["\"0.025\""], times["\"0.05\""], times["\"10\""]), (0.0, 1.0, 1.0));
    assert_eq!(times["\"+Inf\""], 2.0);
    assert_eq!(of(&samples, "request_duration_seconds_sum")[0].1, 20.03);
    assert_eq!(of(&samples, "request_duration_seconds_count")[0].1, 2.0);
    let sizes = buckets("bytes_sent");
    assert_eq!((sizes["\"1000\""], sizes["\"10000\""], sizes["\"1e+06\""]), (0.0, 2.0, 2.0));
    assert_eq!(buckets("response_size")["\"100\""], 0.0);
    assert_eq!(buckets("request_size")["\"20\""], 2.0);
    assert_eq!(of(&samples, "request_size_sum")[0].1, 30.0);
}

#[test]
fn upstream_times_appear_only_once_they_were_observed() {
    let metrics = metrics(|_| {});
    let (location, host) = (metrics.location(&origin("web", "/")), metrics.name("a.test"));
    let worker = metrics.worker();
    worker.record(&request(&location, &host));
    assert!(!text(&metrics).contains("response_duration_seconds_count{"));
    worker.record(&RequestRecord {
        upstream: Some(UpstreamTimes {
            connect: None,
            header: Some(Duration::from_millis(2)),
            response: Some(Duration::from_millis(4)),
        }),
        ..request(&location, &host)
    });
    let samples = samples(&metrics);
    assert_eq!(of(&samples, "response_duration_seconds_count")[0].1, 1.0);
    assert_eq!(of(&samples, "header_duration_seconds_sum")[0].1, 0.002);
    assert!(of(&samples, "connect_duration_seconds_count").is_empty());
}

#[test]
fn workers_are_summed() {
    let metrics = metrics(|_| {});
    let (location, host) = (metrics.location(&origin("web", "/")), metrics.name("a.test"));
    thread::scope(|scope| {
        for _ in 0..4 {
            let worker = metrics.worker();
            let (location, host) = (&location, &host);
            scope.spawn(move || (0..1_000).for_each(|_| worker.record(&request(location, host))));
        }
    });
    let requests = of(&samples(&metrics), "requests");
    assert_eq!(requests.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [4_000.0]);
}

#[test]
fn series_of_a_location_that_is_gone_disappear_and_come_back_from_zero() {
    let metrics = metrics(|_| {});
    let host = metrics.name("a.test");
    let (kept, gone) =
        (metrics.location(&origin("kept", "/")), metrics.location(&origin("gone", "/")));
    let worker = metrics.worker();
    worker.record(&request(&kept, &host));
    worker.record(&request(&gone, &host));
    worker.record(&request(&gone, &host));
    drop(gone);
    let requests = of(&samples(&metrics), "requests");
    assert_eq!(requests.len(), 1);
    assert!(requests[0].0.contains("ingress=\"kept\""));
    worker.sweep();
    assert_eq!(metrics.series.load(Relaxed), 1);
    let again = metrics.location(&origin("gone", "/"));
    worker.record(&request(&again, &host));
    assert_eq!(of(&samples(&metrics), "requests")[0].1, 1.0);
}

#[test]
fn a_host_that_the_table_does_not_name_is_counted_only_on_request() {
    let known = metrics(|_| {});
    let location = known.location(&origin("web", "/"));
    let host = known.name("a.test");
    let anonymous = RequestRecord { host: None, ..request(&location, &host) };
    let worker = known.worker();
    worker.record(&anonymous);
    assert!(worker.undefined_host("b.test").is_none());
    assert!(of(&samples(&known), "requests").is_empty());

    let undefined = metrics(|settings| settings.per_undefined_host = true);
    let location = undefined.location(&origin("web", "/"));
    let worker = undefined.worker();
    let host = worker.undefined_host("b.test").unwrap();
    worker.record(&request(&location, &host));
    drop(host);
    assert!(of(&samples(&undefined), "requests")[0].0.contains("host=\"b.test\""));
}

#[test]
fn hosts_that_clients_invent_are_bounded() {
    let metrics = metrics(|settings| settings.per_undefined_host = true);
    let worker = metrics.worker();
    let hosts = (0..2_000).filter_map(|number| worker.undefined_host(&format!("{number}.test")));
    assert_eq!(hosts.count(), 1_000);
    assert_eq!(of(&samples(&metrics), "requests"), []);
    assert!(text(&metrics).contains("headgate_metrics_overflow_total{"));
}

#[test]
fn without_the_host_label_every_host_counts_into_one_series() {
    let metrics = metrics(|settings| settings.per_host = false);
    let location = metrics.location(&origin("web", "/"));
    let (one, other) = (metrics.name("a.test"), metrics.name("b.test"));
    let worker = metrics.worker();
    worker.record(&request(&location, &one));
    worker.record(&request(&location, &other));
    worker.record(&RequestRecord { host: None, ..request(&location, &one) });
    let requests = of(&samples(&metrics), "requests");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].1, 3.0);
    assert!(!requests[0].0.contains("host="));
}

#[test]
fn status_classes_replace_codes_on_request() {
    let metrics = metrics(|settings| settings.status_classes = true);
    let (location, host) = (metrics.location(&origin("web", "/")), metrics.name("a.test"));
    let worker = metrics.worker();
    for status in [200, 204, 404] {
        worker.record(&RequestRecord { status, ..request(&location, &host) });
    }
    let requests = of(&samples(&metrics), "requests");
    let statuses: Vec<_> =
        requests.iter().map(|(labels, value)| (&labels[labels.len() - 12..], *value)).collect();
    assert_eq!(statuses, [("status=\"2xx\"", 2.0), ("status=\"4xx\"", 1.0)]);
}

#[test]
fn methods_that_clients_invent_share_one_label() {
    let metrics = metrics(|_| {});
    let (location, host) = (metrics.location(&origin("web", "/")), metrics.name("a.test"));
    let worker = metrics.worker();
    for name in ["PATCH", "PROPFIND", "FOO", "BAR", "get"] {
        let method = Method::from_bytes(name.as_bytes()).unwrap();
        worker.record(&RequestRecord { method: &method, ..request(&location, &host) });
    }
    let methods: Vec<_> = of(&samples(&metrics), "requests")
        .into_iter()
        .map(|(labels, value)| {
            let method = labels.split("method=\"").nth(1).unwrap();
            (method.split('"').next().unwrap().to_owned(), value)
        })
        .collect();
    let expected = [("OTHER", 3.0), ("PATCH", 1.0), ("PROPFIND", 1.0)];
    assert_eq!(methods, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn beyond_the_cap_requests_are_counted_as_overflow() {
    let metrics = metrics(|settings| settings.max_series = 2);
    let (location, host) = (metrics.location(&origin("web", "/")), metrics.name("a.test"));
    let worker = metrics.worker();
    for status in [200, 201, 202, 202, 200] {
        worker.record(&RequestRecord { status, ..request(&location, &host) });
    }
    let samples = samples(&metrics);
    assert_eq!(of(&samples, "requests").len(), 2);
    let overflow =
        samples.iter().find(|(name, _)| name.starts_with("headgate_metrics_overflow_total"));
    assert_eq!(*overflow.unwrap().1, 2.0);
}

#[test]
fn excluded_metrics_are_left_out_with_or_without_prefix() {
    let metrics = metrics(|settings| {
        settings.exclude =
            vec!["bytes_sent".into(), "nginx_ingress_controller_request_size".into()];
    });
    let (location, host) = (metrics.location(&origin("web", "/")), metrics.name("a.test"));
    metrics.worker().record(&request(&location, &host));
    let text = text(&metrics);
    assert!(!text.contains("bytes_sent") && !text.contains("request_size"));
    assert!(text.contains("response_size_count{"));
}

#[test]
fn connections_are_counted_by_what_they_do() {
    let metrics = metrics(|_| {});
    let worker = Rc::new(metrics.worker());
    let states = || {
        let samples = samples(&metrics);
        let states = of(&samples, "nginx_process_connections");
        states.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    let (first, second) = (worker.connection(), worker.connection());
    first.set_reading(true);
    assert_eq!(states(), [2.0, 1.0, 1.0, 0.0], "active, reading, waiting, writing");
    first.request_started();
    second.request_started();
    second.request_started();
    second.request_finished();
    assert_eq!(states(), [2.0, 0.0, 0.0, 2.0]);
    first.request_finished();
    assert_eq!(states(), [2.0, 0.0, 1.0, 1.0]);
    drop(second);
    assert_eq!(states(), [1.0, 0.0, 1.0, 0.0]);
    worker.connection_refused();
    let samples = samples(&metrics);
    let totals: Vec<_> = of(&samples, "nginx_process_connections_total")
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(totals, [3.0, 2.0], "accepted, handled");
    assert_eq!(of(&samples, "nginx_process_requests_total")[0].1, 3.0);
    let flight = samples.iter().find(|(name, _)| name.starts_with("headgate_requests_in_flight"));
    assert_eq!(*flight.unwrap().1, 0.0);
}

#[test]
fn publications_are_told_as_reloads() {
    let metrics = metrics(|_| {});
    let value = |name: &str| {
        let samples = samples(&metrics);
        let prefix = format!("{}{name}{{", text::PREFIX);
        *samples.iter().find(|(sample, _)| sample.starts_with(&prefix)).unwrap().1
    };
    assert_eq!(value("config_last_reload_successful"), 0.0);
    metrics.published(77);
    assert_eq!((value("config_hash"), value("config_last_reload_successful")), (77.0, 1.0));
    assert!(value("config_last_reload_successful_timestamp_seconds") > 1.6e9);
    metrics.publication_failed();
    assert_eq!((value("config_hash"), value("config_last_reload_successful")), (0.0, 0.0));
    assert_eq!((value("success"), value("errors")), (1.0, 1.0));
}

#[test]
fn while_disabled_only_process_metrics_are_shown() {
    let metrics = metrics(|settings| settings.enabled = false);
    let (location, host) = (metrics.location(&origin("web", "/")), metrics.name("a.test"));
    metrics.worker().record(&request(&location, &host));
    let text = text(&metrics);
    assert!(text.contains("\nprocess_resident_memory_bytes "));
    assert!(!text.contains("nginx_ingress_controller_"));
}

#[test]
fn other_parts_of_the_program_add_their_own() {
    let metrics = metrics(|_| {});
    metrics.add_source(|text| {
        text.family("leader", Kind::Gauge, "Whether it is.");
        text.instance_sample("leader", &[("name", "x")], 1);
    });
    assert!(samples(&metrics).keys().any(|name| name.starts_with("leader{controller_class=")));
}

#[test]
fn a_long_exposition_comes_in_chunks_of_bounded_size() {
    let metrics = metrics(|_| {});
    let host = metrics.name("a.test");
    let worker = metrics.worker();
    let locations: Vec<_> =
        (0..200).map(|number| metrics.location(&origin("web", &format!("/{number}")))).collect();
    for location in &locations {
        worker.record(&request(location, &host));
    }
    let sizes: Vec<_> = metrics.scrape().map(|chunk| chunk.len()).collect();
    assert!(sizes.len() > 5 && sizes.iter().all(|size| *size < 80 * 1024), "{sizes:?}");
    assert_eq!(of(&samples(&metrics), "requests").len(), 200);
}

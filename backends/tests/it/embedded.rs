//! The services inside another process, as `headgate demo` may run them.

use backends::{Error, Service};
use tokio::sync::oneshot;

use crate::support::http::{Failure, Http};

fn moderation() -> Service {
    let mut local = Service::all_local(std::path::Path::new("/nonexistent")).into_iter();
    let mut service = local.find(|service| service.name() == "moderation").unwrap();
    service.listen_mut().port = Some(0);
    service
}

#[tokio::test]
async fn a_service_runs_until_its_future_says_stop() {
    let server = backends::bind(moderation()).await.unwrap();
    let url = format!("http://{}/readyz", server.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.serve(async {
        let _ = stopped.await;
    }));
    let http = Http::new();
    assert_eq!(http.get(&url).await.unwrap().0, 200);
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(http.get(&url).await, Err(Failure::Refused));
}

#[tokio::test]
async fn a_taken_port_is_named_in_the_error() {
    let first = backends::bind(moderation()).await.unwrap();
    let mut second = moderation();
    second.listen_mut().port = Some(first.address().port());
    let Err(error @ Error::Listen { .. }) = backends::bind(second).await else {
        panic!("the port was taken twice");
    };
    assert!(error.to_string().contains(&first.address().to_string()), "{error}");
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_made_is_named_in_the_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let [_, mut posts, ..] = Service::all_local(&file.path().join("below a file"));
    posts.listen_mut().port = Some(0);
    let error = backends::bind(posts).await.err().unwrap().to_string();
    assert!(error.contains("below a file"), "{error}");
}

#[test]
fn the_local_services_have_the_ports_of_the_application() {
    let services = Service::all_local(std::path::Path::new("data"));
    let mut ports = services.map(|service| (service.name(), service.address().port()));
    ports.sort_by_key(|(_, port)| *port);
    let expected = [
        ("client", 3000),
        ("posts", 4000),
        ("comments", 4001),
        ("query", 4002),
        ("moderation", 4003),
        ("bus", 4005),
    ];
    assert_eq!(ports, expected);
}

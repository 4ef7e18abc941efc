//! What the log says of changes, at the levels of `-v`.

use std::time::Instant;

use headgate_tests::manifests::Ingress;

use crate::support::{NAMESPACE, Scene, eventually};

/// Waits for a line with all of these words, and returns it.
async fn until_line(scene: &Scene, words: &[&str]) -> String {
    let mut found = None;
    eventually(&format!("a line with {words:?}"), async || {
        let log = scene.log();
        let line = log.lines().find(|line| words.iter().all(|word| line.contains(word)));
        found = line.map(str::to_owned);
        found.is_some()
    })
    .await;
    found.unwrap()
}

#[tokio::test]
async fn each_change_is_said_to_be_taken() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    let added = ["INFO", "taken", "Ingress default/a added", "1 host compiled in", "live after"];
    until_line(&scene, &added).await;
    scene.route("a", "b.example");
    until_line(&scene, &["taken", "Ingress default/a changed", "1 host compiled and 1 gone"]).await;
    scene.folder.remove("a").unwrap();
    until_line(&scene, &["taken", "Ingress default/a removed", "no host compiled and 1 gone"])
        .await;
    assert!(!scene.log().contains("host=\"a.example\""), "decisions are shown without -v 2");
}

#[tokio::test]
async fn many_changes_are_few_lines_with_totals() {
    const CHANGES: usize = 200;
    let scene = Scene::start().await;
    let began = Instant::now();
    for number in 0..CHANGES {
        let name = format!("host-{number}");
        scene.route(&name, &format!("{name}.example"));
    }
    let added = |log: &str| {
        let lines: Vec<_> = log.lines().filter(|line| line.contains("taken")).map(count).collect();
        (lines.len(), lines.into_iter().sum::<usize>())
    };
    eventually("all changes to be told", async || added(&scene.log()).1 == CHANGES).await;
    let (lines, _) = added(&scene.log());
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(lines <= seconds + 2, "{lines} lines in {seconds} s:\n{}", scene.log());
}

/// How many Ingresses a line says to have been added.
fn count(line: &str) -> usize {
    let Some((before, _)) = line.split_once(" Ingresses added") else {
        return usize::from(line.contains("Ingress default/host"));
    };
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_verdict_that_does_not_hold_any_more_is_said_to_be_cleared() {
    let scene = Scene::start().await;
    let open = Ingress::new(NAMESPACE, "web").prefix("a.example", "/", "web");
    let bad = open.clone().annotation("auth-type", "basic").annotation("auth-secret", "missing");
    scene
        .folder
        .write(
            "web",
            &format!("{}---\n{}", crate::support::web(scene.upstream.address()), bad.text()),
        )
        .unwrap();
    until_line(&scene, &["ERROR", "default/web", "auth-secret"]).await;
    scene
        .folder
        .write(
            "web",
            &format!("{}---\n{}", crate::support::web(scene.upstream.address()), open.text()),
        )
        .unwrap();
    until_line(&scene, &["INFO", "cleared: ", "default/web", "auth-secret"]).await;

    // What compiling finds is told by another part of the program.
    let pattern = Ingress::new(NAMESPACE, "pattern").annotation("use-regex", "true");
    scene
        .folder
        .write("pattern", &pattern.clone().pattern("b.example", "/(", "web").text())
        .unwrap();
    until_line(&scene, &["ERROR", "default/pattern", "InvalidPath"]).await;
    scene.folder.write("pattern", &pattern.pattern("b.example", "/x", "web").text()).unwrap();
    until_line(&scene, &["INFO", "cleared: ", "default/pattern", "InvalidPath"]).await;
}

#[tokio::test]
async fn a_refused_change_is_not_said_to_be_taken() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    until_line(&scene, &["Ingress default/a added"]).await;
    let bad = Ingress::new(NAMESPACE, "a").prefix("b.example", "/", "web");
    scene.folder.write("a", &bad.annotation("limit-rps", "10r/s").text()).unwrap();
    until_line(&scene, &["ERROR", "default/a", "stays in service"]).await;
    scene.route("other", "c.example");
    until_line(&scene, &["Ingress default/other added"]).await;
    assert!(!scene.log().contains("default/a changed"), "{}", scene.log());
}

#[tokio::test]
async fn decisions_are_shown_on_the_second_level_and_requests_on_the_fifth() {
    for (level, requests) in [("2", false), ("5", true)] {
        let scene = Scene::start_with(&format!("-v {level}")).await;
        scene.route("a", "a.example");
        until_line(&scene, &["DEBUG", "host compiled", "a.example"]).await;
        until_line(&scene, &["DEBUG", "served", "default/a"]).await;
        scene.until_status("a.example", 200).await;
        let placed = ["DEBUG", "request placed", "a.example", "Ingress default/a"];
        if requests {
            until_line(&scene, &placed).await;
        } else {
            scene.route("b", "b.example");
            until_line(&scene, &["DEBUG", "host compiled", "b.example"]).await;
            assert!(!scene.log().contains("request placed"), "{}", scene.log());
        }
    }
}

#[tokio::test]
async fn no_level_shows_a_secret() {
    let scene = Scene::start_with("-v=10").await;
    let ingress = Ingress::new(NAMESPACE, "a").prefix("a.example", "/", "web");
    let ingress = ingress.annotation("auth-type", "basic").annotation("auth-secret", "users");
    let users = "apiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: default}\nstringData: {auth: \"foo:{PLAIN}hunter2\"}\n";
    scene.folder.write("a", &format!("{}---\n{users}", ingress.text())).unwrap();
    scene.until_status("a.example", 401).await;
    until_line(&scene, &["DEBUG", "Secret default/users", "read"]).await;
    assert!(!scene.log().contains("hunter2"), "{}", scene.log());
}

//! `mirror-target` and what belongs to it.

use headgate_config::Mirror;

use super::*;

fn mirror(annotations: &[(&str, &str)]) -> Option<Mirror> {
    means(annotations).mirror.as_deref().cloned()
}

#[test]
fn copies_go_where_the_target_says() {
    let target = "https://m.test$request_uri";
    let plain = Mirror {
        target: target.into(),
        default_path: "/_mirror-default-app".into(),
        upstream: None,
        host: None,
        with_body: true,
    };
    assert_eq!(mirror(&[("mirror-target", &format!(" {target} "))]), Some(plain.clone()));
    let other =
        [("mirror-target", target), ("mirror-host", "$host"), ("mirror-request-body", "off")];
    let expected = Mirror { host: Some("$host".into()), with_body: false, ..plain };
    assert_eq!(mirror(&other), Some(expected));
    assert_eq!(mirror(&[("mirror-host", "a.test"), ("mirror-request-body", "off")]), None);
}

#[test]
fn without_a_good_target_there_are_no_copies_and_somebody_is_told() {
    for target in
        ["m.test", "ftp://m.test/", "http://m;test/", "http://m.test/$nothing", "http://u:p@m.test"]
    {
        let (read, finding) = finding(&[("mirror-target", target)]);
        assert_eq!(read.mirror, None, "{target}");
        assert_eq!((finding.effect, finding.reason), (Effect::Warning, "InvalidAnnotation"));
        let message = finding.message;
        assert!(message.contains("mirror-target") && !message.contains("u:p"), "{message}");
    }
    let (read, finding) = finding(&[("mirror-target", "http://m.test"), ("mirror-host", "$x")]);
    let host = read.mirror.as_ref().expect("there are copies").host.as_ref();
    assert!(host.is_none() && finding.message.contains("mirror-host: there is no variable $x"));
}

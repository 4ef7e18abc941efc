//! `custom-http-errors` and what belongs to it.

use super::*;

fn statuses(annotations: &Annotations) -> Option<&[u16]> {
    annotations.errors.statuses.as_deref()
}

#[test]
fn statuses_are_sorted_and_named_once() {
    let read = means(&[("custom-http-errors", "503, 404,404")]);
    assert_eq!(statuses(&read), Some(&[404, 503][..]));
    assert!(!read.errors.spares_upstreams);
    assert!(means(&[("disable-proxy-intercept-errors", "true")]).errors.spares_upstreams);
    for list in ["404,x", "404,200", "302", ""] {
        let outcome = try_read(&[("custom-http-errors", list), ("use-regex", "true")]);
        assert_eq!(outcome.is_err(), !list.is_empty(), "{list}");
    }
}

#[test]
fn an_ingress_may_take_back_what_the_config_map_says() {
    let mut defaults = (*Config::default().defaults).clone();
    Arc::make_mut(&mut defaults.plain).errors.spares_upstreams = true;
    let spares = |annotation| {
        let (read, _) = read_with(&defaults, &[annotation]).expect("it is served");
        read.errors.spares_upstreams
    };
    assert!(spares(("custom-http-errors", "404")));
    assert!(!spares(("disable-proxy-intercept-errors", "false")));
}

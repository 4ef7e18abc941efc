use std::{borrow::Cow, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::ServerName;

use super::*;

fn config() -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

#[test]
fn a_name_that_nobody_uses_makes_room_for_another() {
    let (endpoint, config) =
        (Endpoint::new(([127, 0, 0, 1], 1).into(), IdleCount::default()), config());
    let over = |number: usize| {
        let name = ServerName::try_from(format!("{number}.test")).unwrap();
        let wanted = Encryption { config: &config, name: Ok(Some(Cow::Owned(name))) };
        endpoint.over(&wanted).unwrap()
    };
    let is_kept =
        |way: &Rc<Endpoint>| endpoint.encrypted.borrow().iter().any(|other| Rc::ptr_eq(way, other));
    let used = over(0);
    let unused: Vec<_> = (1..MOST_WAYS).map(|number| Rc::downgrade(&over(number))).collect();
    assert!(Rc::ptr_eq(&used, &over(0)));
    // Wanted again, so that another is the next to go.
    drop(over(1));
    let new = over(MOST_WAYS);
    assert!(is_kept(&new) && is_kept(&used));
    assert_eq!(unused.iter().filter(|way| way.upgrade().is_none()).count(), 1);
    assert!(unused[1].upgrade().is_none(), "the one that was not wanted for longest");
    let all: Vec<_> = (0..=MOST_WAYS).map(over).collect();
    assert_eq!(endpoint.encrypted.borrow().len(), MOST_WAYS);
    assert!(all.iter().all(|way| Rc::ptr_eq(&way.complained, &endpoint.complained)));
    assert!(!is_kept(&over(MOST_WAYS + 1)), "requests use all of them");
}

mod bench;

use serde_json::Value;

use self::bench::Bench;
use super::*;

const SECRET: &str = "/api/v1/namespaces/sys/secrets/hook-certificate";
const CONFIGURATION: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hooks";

fn pair(identity: &Identity) -> (String, String) {
    (identity.certificate.clone(), identity.key.clone())
}

fn names() -> Vec<String> {
    certificate::service_names("sys", "hook")
}

/// A Secret with this in it.
fn secret(identity: &Identity) -> Value {
    let data: BTreeMap<_, _> = data(identity).into();
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some("hook-certificate".into()),
            namespace: Some("sys".into()),
            ..ObjectMeta::default()
        },
        data: Some(data),
        ..Secret::default()
    };
    serde_json::to_value(secret).unwrap()
}

fn days(number: u64) -> Duration {
    Duration::from_secs(number * 24 * 60 * 60)
}

#[tokio::test]
async fn a_first_certificate_is_made_trusted_and_served() {
    let bench = Bench::new();
    let mut keeper = bench.keeper();
    let now = SystemTime::now();
    keeper.round(now).await.unwrap();
    let held = bench.held();
    assert_eq!(certificate::check(&held, &names(), now), Ok(()));
    assert_eq!(bench.object(SECRET)["type"], "kubernetes.io/tls");
    assert_eq!(bench.bundle(0).as_deref(), Some(held.authorities.as_bytes()));
    assert_eq!(bench.bundle(1), None, "the webhook of another Service");
    assert_eq!(bench.served(), [pair(&held)]);
    let secrets = SECRET.strip_suffix("/hook-certificate").unwrap();
    let expected = [
        format!("GET {SECRET}"),
        format!("POST {secrets}"),
        format!("GET {CONFIGURATION}"),
        format!("PATCH {CONFIGURATION}"),
    ];
    assert_eq!(bench.take_asked(), expected);

    // From then on it is only looked at.
    keeper.round(now).await.unwrap();
    assert_eq!(bench.take_asked(), [format!("GET {SECRET}"), format!("GET {CONFIGURATION}")]);
    assert_eq!(bench.served().len(), 1);
}

#[tokio::test]
async fn replicas_share_one_certificate() {
    let bench = Bench::new();
    let now = SystemTime::now();
    let quicker = certificate::issue(&names(), "", now).unwrap();
    let theirs = quicker.clone();
    bench.interfere(move |server| drop(server.put(SECRET, secret(&theirs))));
    let (mut one, mut other) = (bench.keeper(), bench.keeper());
    one.round(now).await.unwrap();
    other.round(now).await.unwrap();
    assert_eq!(bench.served(), [pair(&quicker), pair(&quicker)]);
    assert_eq!(bench.held(), quicker);
}

#[tokio::test]
async fn it_is_replaced_before_it_expires_and_both_are_trusted() {
    let bench = Bench::new();
    let now = SystemTime::now();
    let (mut one, mut other) = (bench.keeper(), bench.keeper());
    one.round(now).await.unwrap();
    other.round(now).await.unwrap();
    let first = bench.held();
    let later = now + days(300);
    one.round(later).await.unwrap();
    let second = bench.held();
    assert!(!first.is_same_certificate(&second));
    let bundle = bench.bundle(0).unwrap();
    for identity in [&first, &second] {
        assert!(certificate::holds(&bundle, &identity.authorities));
    }
    other.round(later).await.unwrap();
    let expected = [&first, &first, &second, &second].map(pair);
    assert_eq!(bench.served(), expected);
}

#[tokio::test]
async fn replicas_with_wrong_clocks_do_not_replace_each_others() {
    let years = |number: u64| days(365 * number);
    let now = SystemTime::now();
    for first in 0..3 {
        let bench = Bench::new();
        bench.server.lock().unwrap().clock = Some(now);
        let mut replicas =
            [now + years(10), now - years(10), now].map(|clock| (bench.keeper(), clock));
        replicas.rotate_left(first);
        for round in 0..3 {
            for (keeper, clock) in &mut replicas {
                keeper.round(*clock + EVERY * round).await.unwrap();
            }
        }
        let held = bench.held();
        assert_eq!(certificate::check(&held, &names(), now), Ok(()));
        assert_eq!(bench.served(), [&held; 3].map(pair));
        assert_eq!(bench.bundle(0).as_deref(), Some(held.authorities.as_bytes()));

        // When it is time by the right clock, whoever looks first replaces it, whatever its own clock says.
        let later = now + days(300);
        bench.server.lock().unwrap().clock = Some(later);
        for (keeper, clock) in &mut replicas {
            keeper.round(*clock + days(300)).await.unwrap();
        }
        let renewed = bench.held();
        assert!(!renewed.is_same_certificate(&held));
        assert_eq!(certificate::check(&renewed, &names(), later), Ok(()));
        assert_eq!(bench.served()[3..], [&renewed; 3].map(pair));
    }
}

#[tokio::test]
async fn replicas_whose_clocks_are_late_replace_what_has_expired() {
    let bench = Bench::new();
    let (now, late) = (SystemTime::now(), days(200));
    let tell = |time| bench.server.lock().unwrap().clock = Some(time);
    let mut replicas = [bench.keeper(), bench.keeper()];
    tell(now);
    for keeper in &mut replicas {
        keeper.round(now - late).await.unwrap();
    }
    let first = bench.held();
    for age in [280, 370] {
        let before = bench.held();
        let now = now + days(age);
        assert_eq!(certificate::check(&first, &names(), now - late), Ok(()), "by their clocks");
        tell(now);
        for keeper in &mut replicas {
            keeper.round(now - late).await.unwrap();
        }
        let held = bench.held();
        assert_eq!(certificate::check(&held, &names(), now), Ok(()));
        assert_eq!(held.is_same_certificate(&before), age == 370, "it was renewed in time");
        assert_eq!(bench.served()[2..], [&held; 2].map(pair));
    }

    // And what has expired meanwhile.
    let bench = Bench::new();
    bench.server.lock().unwrap().clock = Some(now + days(370));
    bench.put(SECRET, secret(&first));
    bench.keeper().round(now + days(370) - late).await.unwrap();
    assert!(!bench.held().is_same_certificate(&first));
    assert_eq!(bench.served(), [pair(&bench.held())]);
}

#[tokio::test]
async fn of_two_that_replace_it_the_first_wins() {
    let bench = Bench::new();
    let now = SystemTime::now();
    let mut keeper = bench.keeper();
    keeper.round(now).await.unwrap();
    let later = now + days(300);
    let quicker = certificate::issue(&names(), &bench.held().authorities, later).unwrap();
    let theirs = quicker.clone();
    bench.interfere(move |server| drop(server.put(SECRET, secret(&theirs))));
    keeper.round(later).await.unwrap();
    assert_eq!(bench.held(), quicker);
    assert_eq!(bench.served().last(), Some(&pair(&quicker)));
}

#[tokio::test]
async fn a_bundle_that_is_lost_comes_back_and_one_that_holds_more_stays() {
    let bench = Bench::new();
    let now = SystemTime::now();
    let mut keeper = bench.keeper();
    keeper.round(now).await.unwrap();
    let ours = bench.bundle(0).unwrap();
    let mut configuration = bench.object(CONFIGURATION);
    configuration["webhooks"][0]["clientConfig"]["caBundle"] = Value::Null;
    bench.put(CONFIGURATION, configuration.clone());
    keeper.round(now).await.unwrap();
    assert_eq!(bench.bundle(0), Some(ours.clone()));

    let other = certificate::issue(&names(), "", now).unwrap();
    let more = [other.authorities.as_bytes(), &ours].concat();
    configuration["webhooks"][0]["clientConfig"]["caBundle"] = json!(ByteString(more.clone()));
    bench.put(CONFIGURATION, configuration);
    keeper.round(now).await.unwrap();
    assert_eq!(bench.bundle(0), Some(more));
}

#[tokio::test]
async fn a_deleted_secret_is_made_again_and_what_is_served_stays_trusted() {
    let bench = Bench::new();
    let now = SystemTime::now();
    let mut keeper = bench.keeper();
    keeper.round(now).await.unwrap();
    let first = bench.held();
    bench.server.lock().unwrap().objects.remove(SECRET);
    keeper.round(now).await.unwrap();
    let second = bench.held();
    assert!(!first.is_same_certificate(&second));
    assert!(certificate::holds(&bench.bundle(0).unwrap(), &first.authorities));
    assert_eq!(bench.served(), [pair(&first), pair(&second)]);
}

#[tokio::test]
async fn the_rest_of_a_secret_is_left_alone() {
    let bench = Bench::new();
    let mut foreign = json!({ "metadata": { "name": "hook-certificate", "namespace": "sys", "labels": { "a": "b" } } });
    foreign["type"] = "Opaque".into();
    foreign["data"] = json!({ "note": ByteString(b"mine".to_vec()) });
    bench.put(SECRET, foreign.clone());
    bench.keeper().round(SystemTime::now()).await.unwrap();
    let object = bench.object(SECRET);
    assert_eq!(object["type"], "Opaque");
    assert_eq!(object["metadata"]["labels"], foreign["metadata"]["labels"]);
    assert_eq!(object["data"]["note"], foreign["data"]["note"]);
    assert_eq!(bench.served(), [pair(&bench.held())]);
}

#[tokio::test]
async fn what_is_missing_is_said_with_its_remedy() {
    let now = SystemTime::now();
    let bench = Bench::new();
    bench.forbid(format!("GET {SECRET}"));
    let problem = bench.keeper().round(now).await.unwrap_err().to_string();
    assert!(problem.contains("not allowed to get the Secret sys/hook-certificate"), "{problem}");
    assert_eq!(bench.served(), []);

    let bench = Bench::new();
    bench.forbid(format!("PATCH {CONFIGURATION}"));
    let problem = bench.keeper().round(now).await.unwrap_err().to_string();
    assert!(problem.contains("not allowed to patch"), "{problem}");
    assert_eq!(bench.served().len(), 1, "others may bring the bundle");

    let bench = Bench::new();
    bench.server.lock().unwrap().objects.remove(CONFIGURATION);
    let problem = bench.keeper().round(now).await.unwrap_err().to_string();
    assert!(problem.contains("--validating-webhook-configuration"), "{problem}");

    let bench = Bench::new();
    let mut configuration = bench.object(CONFIGURATION);
    configuration["webhooks"].as_array_mut().unwrap().remove(0);
    bench.put(CONFIGURATION, configuration);
    let problem = bench.keeper().round(now).await.unwrap_err().to_string();
    assert!(problem.contains("calls the Service sys/hook"), "{problem}");
}

#[tokio::test]
async fn while_the_new_one_is_not_trusted_the_old_one_is_served() {
    let bench = Bench::new();
    let now = SystemTime::now();
    let mut keeper = bench.keeper();
    keeper.round(now).await.unwrap();
    let first = bench.held();
    bench.forbid(format!("PATCH {CONFIGURATION}"));
    assert!(keeper.round(now + days(300)).await.is_err());
    assert_eq!(bench.served(), [pair(&first)]);
    // Until it has expired.
    assert!(keeper.round(now + days(366)).await.is_err());
    assert_eq!(bench.served(), [pair(&first), pair(&bench.held())]);
    bench.server.lock().unwrap().forbidden.clear();
    keeper.round(now + days(366)).await.unwrap();
    assert!(certificate::holds(&bench.bundle(0).unwrap(), &bench.held().authorities));
}

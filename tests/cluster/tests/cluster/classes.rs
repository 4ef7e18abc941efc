//! Which Ingresses are served: classes, namespaces and the flags about them, against a real API server.

mod objects;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use headgate_cluster::{Cluster, HeadgateProcess, Settings, with_cluster};
use headgate_tests::client::Connection;
use serde_json::json;

use self::{
    objects::{apply, class, ingress, object, place, rule, set_up},
    table::{Account, Act, CONFIGURATIONS, Configuration, REFUSED, ROWS, STEPS, Shape},
};

/// Much more than it takes: other work may keep the machine busy.
const SOON: Duration = Duration::from_secs(60);
/// Ingresses of which every configuration serves at least one: namespace, name, class, annotation.
const TICKS: [(&str, &str, Option<&str>, Option<&str>); 4] = [
    ("blue", "tick", Some("nginx"), None),
    ("green", "tick", Some("nginx"), None),
    ("blue", "tick-mine", Some("mine"), None),
    ("blue", "tick-annotated", None, Some("nginx")),
];

/// Who serves which row, by letter.
type Expected = BTreeMap<&'static str, BTreeSet<char>>;

#[test]
fn exactly_the_ingresses_of_class_and_scope_are_served() {
    with_cluster(Settings::default(), async |cluster| {
        let _upstreams = set_up(cluster).await?;
        let kubeconfigs = kubeconfigs(cluster).await?;
        refuse_flags(cluster).await?;
        let mut gateways = start(cluster, &kubeconfigs).await?;
        let mut expected: Expected =
            ROWS.iter().map(|row| (row.name, letters(row.served))).collect();
        expect(&gateways, &expected).await.context("at first")?;

        for (number, (what, act, changed)) in STEPS.iter().enumerate() {
            perform(cluster, act).await.context(*what)?;
            expected.extend(changed.iter().map(|(name, served)| (*name, letters(served))));
            expect(&gateways, &expected).await.context(*what)?;
            // Whatever else might have come of it has come now.
            tick(cluster, &gateways, number).await?;
            expect(&gateways, &expected).await.with_context(|| format!("after {what:?}"))?;
        }
        let events = ["get", "events", "-n", "blue", "-o", "name", "--field-selector"];
        let about = "reason=Sync,involvedObject.kind=Ingress,involvedObject.name=foreign";
        cluster
            .wait("the event Sync of the Ingress that joined", SOON, async || {
                Ok(!cluster.kubectl(events.into_iter().chain([about])).await?.is_empty())
            })
            .await?;

        for (_, gateway) in gateways.drain(..) {
            gateway.stop().await?;
        }
        let gateways = start(cluster, &kubeconfigs).await?;
        expect(&gateways, &expected).await.context("after a restart")?;
        let audit = cluster.audit().await?;
        let narrow = audit.service_account("default", "narrow");
        let forbidden = narrow.forbidden();
        ensure!(!narrow.events.is_empty() && forbidden.is_empty(), "out of scope: {forbidden:?}");
        Ok(())
    });
}

fn letters(served: &str) -> BTreeSet<char> {
    served.chars().filter(char::is_ascii_uppercase).collect()
}

/// Starts all configurations side by side, and waits until they are ready.
async fn start(
    cluster: &Cluster,
    kubeconfigs: &impl Fn(Account) -> PathBuf,
) -> Result<Vec<(&'static Configuration, HeadgateProcess)>> {
    let mut gateways = Vec::new();
    for configuration in CONFIGURATIONS {
        let kubeconfig = kubeconfigs(configuration.account);
        let mut line = vec!["--workers=1", "--disable-leader-election"];
        // One of them is asked for events.
        if configuration.letter != 'D' {
            line.push("--disable-sync-events");
        }
        line.extend(configuration.flags);
        let log = cluster.logs().join(format!("headgate-{}.log", configuration.letter));
        let program = &cluster.programs().headgate;
        gateways.push((configuration, HeadgateProcess::start(program, &kubeconfig, &line, &log)?));
    }
    for (_, gateway) in &mut gateways {
        gateway.ready(SOON).await?;
    }
    Ok(gateways)
}

async fn refuse_flags(cluster: &Cluster) -> Result<()> {
    for (number, (flags, word)) in REFUSED.iter().enumerate() {
        let log = cluster.logs().join(format!("refused-{number}.log"));
        let program = &cluster.programs().headgate;
        let mut gateway = HeadgateProcess::start(program, &cluster.kubeconfig(), flags, &log)?;
        let (succeeded, words) = gateway.end().await?;
        ensure!(!succeeded && words.contains(word), "{flags:?}: {words}");
    }
    Ok(())
}

/// Waits until each configuration serves what it should and nothing else.
async fn expect(gateways: &[(&Configuration, HeadgateProcess)], expected: &Expected) -> Result<()> {
    for (configuration, gateway) in gateways {
        let letter = configuration.letter;
        let wanted: BTreeSet<&str> = expected
            .iter()
            .filter(|(_, letters)| letters.contains(&letter))
            .map(|(name, _)| *name)
            .collect();
        let what = format!("{letter} {:?}", configuration.flags);
        headgate_cluster::wait(&what, SOON, async || {
            let served = served(gateway, expected.keys().copied()).await?;
            let missing: Vec<_> = wanted.difference(&served).collect();
            let surplus: Vec<_> = served.difference(&wanted).collect();
            ensure!(
                missing.is_empty() && surplus.is_empty(),
                "not served: {missing:?}, served though it should not be: {surplus:?}"
            );
            Ok(true)
        })
        .await?;
    }
    Ok(())
}

/// The rows that a gateway serves, as its answers tell.
async fn served<'a>(
    gateway: &HeadgateProcess,
    rows: impl Iterator<Item = &'a str>,
) -> Result<BTreeSet<&'a str>> {
    let mut connection = Connection::open(gateway.http).await?;
    let mut served = BTreeSet::new();
    for name in rows {
        let shape = ROWS.iter().find(|row| row.name == name).map_or(Shape::Host, |row| row.shape);
        let (host, path) = place(name, shape);
        let answer = connection.get(&host, &path).await?;
        let service = if shape == Shape::Default { "fallback" } else { "web" };
        match (answer.status, answer.text().split(' ').next()) {
            (200, Some(who)) if who == service => drop(served.insert(name)),
            // What nobody serves may come to the default backend of one that is served.
            (404, _) | (200, Some("fallback")) => {}
            (status, _) => bail!("{name} is answered {status} {}", answer.text()),
        }
    }
    Ok(served)
}

async fn perform(cluster: &Cluster, act: &Act) -> Result<()> {
    match act {
        Act::Kubectl(arguments) => drop(cluster.kubectl(*arguments).await?),
        Act::Class(name, controller) => apply(cluster, vec![class(name, controller)]).await?,
        Act::DefaultClass(name, row) => {
            let is_default = "ingressclass.kubernetes.io/is-default-class=true";
            cluster.kubectl(["annotate", "ingressclass", name, is_default]).await?;
            // The API server's plugin learns of it a little later.
            let create = ["create", "--dry-run=server", "-o", "jsonpath={.spec.ingressClassName}"];
            let input = ingress(row).to_string();
            cluster
                .wait("a default class", SOON, async || {
                    let create = create.into_iter().chain(["-f", "-"]);
                    Ok(cluster.kubectl_with(create, &input).await? == *name)
                })
                .await?;
            apply(cluster, vec![ingress(row)]).await?;
        }
    }
    Ok(())
}

/// Gives Ingresses a new path, and waits until each configuration serves it on one of them.
async fn tick(
    cluster: &Cluster,
    gateways: &[(&Configuration, HeadgateProcess)],
    number: usize,
) -> Result<()> {
    let path = format!("/{number}");
    let ticks = TICKS.map(|(namespace, name, class, annotation)| {
        let host = format!("{name}.{namespace}.tick.example");
        object(namespace, name, class, annotation, json!({"rules": [rule(Some(&host), &path)]}))
    });
    apply(cluster, ticks.into()).await?;
    for (configuration, gateway) in gateways {
        headgate_cluster::wait(&format!("{path} at {}", configuration.letter), SOON, async || {
            let mut connection = Connection::open(gateway.http).await?;
            for (namespace, name, ..) in TICKS {
                let host = format!("{name}.{namespace}.tick.example");
                if connection.get(&host, &path).await?.text().starts_with("web ") {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await?;
    }
    Ok(())
}

/// Kubeconfigs by account. The API server knows what they may do.
async fn kubeconfigs(cluster: &Cluster) -> Result<impl Fn(Account) -> PathBuf> {
    let read = "--verb=get,list,watch";
    let most = "--resource=ingresses.networking.k8s.io,services,endpointslices.discovery.k8s.io,secrets,configmaps,namespaces";
    let classes = "--resource=ingressclasses.networking.k8s.io";
    let (blind, narrow) = ("--serviceaccount=default:blind", "--serviceaccount=default:narrow");
    for command in [
        &["create", "serviceaccount", "blind"][..],
        &["create", "serviceaccount", "narrow"],
        &["create", "clusterrole", "most", read, most],
        &["create", "clusterrole", "classes", read, classes],
        &["create", "clusterrolebinding", "blind", "--clusterrole=most", blind],
        &["create", "clusterrolebinding", "narrow", "--clusterrole=classes", narrow],
        &["create", "rolebinding", "narrow", "-n", "blue", "--clusterrole=most", narrow],
    ] {
        cluster.kubectl(command).await?;
    }
    for (account, resource) in
        [("blind", "namespaces"), ("narrow", "ingressclasses"), ("narrow", "ingresses")]
    {
        let user = format!("--as=system:serviceaccount:default:{account}");
        let question = ["auth", "can-i", "watch", resource, "-n", "blue", &user];
        cluster
            .wait("the rights to count", SOON, async || {
                Ok(cluster.kubectl(question).await?.trim() == "yes")
            })
            .await?;
    }
    let admin = cluster.kubeconfig();
    let file = async |account| {
        cluster.kubeconfig_with_token(account, &cluster.token("default", account).await?).await
    };
    let (blind, narrow) = (file("blind").await?, file("narrow").await?);
    Ok(move |account| {
        let path = match account {
            Account::Admin => &admin,
            Account::Blind => &blind,
            Account::Narrow => &narrow,
        };
        path.clone()
    })
}

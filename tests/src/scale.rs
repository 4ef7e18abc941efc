//! A large, realistic set of manifests for cold-start and hot-swap measurements: many teams, hosts of their own and shared
//! hosts, some regular-expression and rewrite hosts, some TLS, one Service with its endpoints per Ingress.

use std::net::Ipv4Addr;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{
    manifests::{self, Folder, Ingress},
    tls::SelfSigned,
};

/// How many consecutive Ingresses belong to one team, with one namespace and one certificate.
const TEAM: usize = 200;
/// How many Ingresses share one host, where hosts are shared.
const SHARING: usize = 5;

/// How objects are spread over files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// One file per object, as `kubectl get -o yaml` in a loop would leave them.
    Object,
    /// One file per application: Service, EndpointSlice and Ingress.
    Application,
    /// Everything in one file.
    Single,
}

/// Size and mix of the set.
#[derive(Debug, Clone, Args)]
pub struct Scale {
    /// Number of Ingresses, each with a Service of its own
    #[arg(long, default_value_t = 10_000)]
    pub ingresses: usize,
    /// Number of endpoints, spread evenly over the Services
    #[arg(long, default_value_t = 50_000)]
    pub endpoints: usize,
    /// Share of Ingresses with regular-expression paths, in percent
    #[arg(long, default_value_t = 20)]
    pub regex_percent: usize,
    /// Share of Ingresses with TLS, in percent
    #[arg(long, default_value_t = 10)]
    pub tls_percent: usize,
    /// How objects are spread over files
    #[arg(long, value_enum, default_value_t = Layout::Application)]
    pub layout: Layout,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            ingresses: 10_000,
            endpoints: 50_000,
            regex_percent: 20,
            tls_percent: 10,
            layout: Layout::Application,
        }
    }
}

/// What was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files.
    pub files: usize,
    /// Objects of all kinds.
    pub objects: usize,
    /// Bytes of YAML.
    pub bytes: usize,
}

impl Scale {
    /// A set with that many Ingresses and five endpoints each.
    pub fn of(ingresses: usize) -> Self {
        Self { ingresses, endpoints: ingresses * 5, ..Self::default() }
    }

    /// Writes the set into the folder. Names start with `scale-`, namespaces with `team-`.
    pub fn write(&self, folder: &Folder) -> Result<Written> {
        let mut sink =
            Sink { folder, layout: self.layout, held: Vec::new(), written: Written::default() };
        sink.group("scale-class", vec![("class".into(), manifests::ingress_class())])?;
        for team in 0..self.ingresses.div_ceil(TEAM) {
            let pair = SelfSigned::new(&[&format!("*.team-{team}.example")])?;
            let secret = manifests::tls_secret(&namespace(team), "wildcard", &pair);
            sink.group(&format!("scale-team-{team}"), vec![("secret".into(), secret)])?;
        }
        for index in 0..self.ingresses {
            sink.group(&format!("scale-app-{index}"), self.application(index))?;
        }
        sink.finish()
    }

    fn application(&self, index: usize) -> Vec<(String, String)> {
        let team = index / TEAM;
        let (namespace, service) = (namespace(team), format!("app-{index}"));
        let addresses: Vec<String> =
            self.endpoints_of(index).map(|endpoint| address(endpoint).to_string()).collect();
        vec![
            ("service".into(), manifests::service(&namespace, &service)),
            (
                "slice".into(),
                manifests::endpoint_slice(
                    &namespace,
                    &service,
                    8080,
                    addresses.iter().map(String::as_str),
                ),
            ),
            ("ingress".into(), self.ingress(index, team, &namespace, &service).text()),
        ]
    }

    fn ingress(&self, index: usize, team: usize, namespace: &str, service: &str) -> Ingress {
        let regex = chosen(index, self.regex_percent);
        let shared = !regex && index % 10 < 3;
        let name =
            if shared { format!("shared-{}", index / SHARING) } else { format!("app-{index}") };
        let host = format!("{name}.team-{team}.example");
        let ingress = Ingress::new(namespace, service);
        let ingress = if regex {
            // Half of them rewrite, as in practice: `/orders(/|$)(.*)` with the target `/$2`.
            let ingress = ingress.annotation("use-regex", "true");
            if index.is_multiple_of(2) {
                ingress.annotation("rewrite-target", "/$2").pattern(
                    &host,
                    "/orders(/|$)(.*)",
                    service,
                )
            } else {
                ingress.pattern(&host, "/api/v[0-9]+/[^/]+/items", service).pattern(
                    &host,
                    r"/files/.+\.(png|jpe?g)",
                    service,
                )
            }
        } else if shared {
            ingress.prefix(&host, &format!("/service-{index}"), service).exact(
                &host,
                &format!("/service-{index}/health"),
                service,
            )
        } else {
            let ingress = ingress
                .prefix(&host, "/", service)
                .prefix(&host, "/api", service)
                .exact(&host, "/status", service);
            if index % 10 == 9 {
                ingress.prefix(&format!("www-{index}.team-{team}.example"), "/", service)
            } else {
                ingress
            }
        };
        // Shifted, so that TLS and regular expressions meet on some Ingresses and not on all.
        if chosen(index + index / 100, self.tls_percent) {
            ingress.secret(&host, "wildcard")
        } else {
            ingress
        }
    }

    fn endpoints_of(&self, index: usize) -> std::ops::Range<usize> {
        let share = |count: usize| count * self.endpoints / self.ingresses.max(1);
        share(index)..share(index + 1)
    }
}

fn namespace(team: usize) -> String {
    format!("team-{team}")
}

/// Spreads `percent` percent of all indices evenly.
fn chosen(index: usize, percent: usize) -> bool {
    (index * percent) % 100 < percent
}

/// The address of an endpoint, from 10.128.0.0 on: never asked, only held.
fn address(endpoint: usize) -> Ipv4Addr {
    let offset = u32::try_from(endpoint).unwrap_or(u32::MAX) & 0x007f_ffff;
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 128, 0, 0)) | offset)
}

struct Sink<'a> {
    folder: &'a Folder,
    layout: Layout,
    held: Vec<String>,
    written: Written,
}

impl Sink<'_> {
    fn group(&mut self, name: &str, objects: Vec<(String, String)>) -> Result<()> {
        self.written.objects += objects.len();
        match self.layout {
            Layout::Object => objects
                .iter()
                .try_for_each(|(kind, text)| self.file(&format!("{name}-{kind}"), text)),
            Layout::Application => {
                let texts: Vec<String> = objects.into_iter().map(|(_, text)| text).collect();
                self.file(name, &manifests::documents(&texts))
            }
            Layout::Single => {
                self.held.extend(objects.into_iter().map(|(_, text)| text));
                Ok(())
            }
        }
    }

    fn file(&mut self, name: &str, text: &str) -> Result<()> {
        self.written.files += 1;
        self.written.bytes += text.len();
        self.folder.write(name, text)
    }

    fn finish(mut self) -> Result<Written> {
        if !self.held.is_empty() {
            let text = manifests::documents(&self.held);
            self.file("scale-all", &text)?;
        }
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use serde_json::Value;

    use super::*;

    fn objects(scale: &Scale) -> Vec<Value> {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::new(parent.path()).unwrap();
        scale.write(&folder).unwrap();
        let files = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        files.flat_map(|text| serde_saphyr::from_multiple::<Value>(&text).unwrap()).collect()
    }

    fn kinds(objects: &[Value]) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for object in objects {
            *kinds.entry(object["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        kinds
    }

    #[test]
    fn every_layout_holds_the_same_objects() {
        for layout in [Layout::Object, Layout::Application, Layout::Single] {
            let found = kinds(&objects(&Scale { layout, ..Scale::of(250) }));
            let expected = [
                ("EndpointSlice", 250),
                ("Ingress", 250),
                ("IngressClass", 1),
                ("Secret", 2),
                ("Service", 250),
            ];
            assert_eq!(
                found,
                expected.map(|(kind, count)| (kind.to_owned(), count)).into(),
                "{layout:?}"
            );
        }
    }

    #[test]
    fn endpoints_add_up_and_are_distinct() {
        let scale = Scale { ingresses: 30, endpoints: 100, ..Scale::default() };
        let slices = objects(&scale).into_iter().filter(|object| object["kind"] == "EndpointSlice");
        let addresses: Vec<String> = slices
            .flat_map(|slice| slice["endpoints"].as_array().unwrap().clone())
            .map(|endpoint| endpoint["addresses"][0].as_str().unwrap().to_owned())
            .collect();
        let distinct: std::collections::BTreeSet<_> = addresses.iter().collect();
        assert_eq!((addresses.len(), distinct.len()), (100, 100));
    }

    #[test]
    fn a_fifth_of_the_ingresses_uses_regular_expressions() {
        let ingresses =
            objects(&Scale::of(500)).into_iter().filter(|object| object["kind"] == "Ingress");
        let annotation = "nginx.ingress.kubernetes.io/use-regex";
        assert_eq!(
            ingresses
                .filter(|ingress| ingress["metadata"]["annotations"][annotation] == "true")
                .count(),
            100
        );
    }
}

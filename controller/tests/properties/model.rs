//! What the reference makes of a set of Ingresses, step by step and without care for speed (routing §2, §4).

use std::collections::BTreeMap;

use headgate_config::PathMatch;

use super::sets::Spec;

/// A location with all that its place in the table depends on.
#[derive(Clone, Debug)]
struct Location {
    path: String,
    exact: bool,
    service: String,
    use_regex: bool,
    target: String,
    implicit: bool,
    rank: usize,
}

impl Location {
    fn is_rewritten(&self) -> bool {
        !self.target.is_empty() && self.target != self.path
    }
}

/// A virtual host with its locations in order.
#[derive(Debug, Default)]
pub struct Server(Vec<Location>);

impl Server {
    pub fn is_regex(&self) -> bool {
        self.0.iter().any(|location| location.use_regex || location.is_rewritten())
    }

    /// Matcher, Service and rewrite target; sorted on plain hosts, where order means nothing.
    pub fn table(&self) -> Vec<(PathMatch, String, String)> {
        let row = |location: &Location, matcher| {
            let target =
                if location.is_rewritten() { location.target.clone() } else { String::new() };
            (matcher, location.service.clone(), target)
        };
        let mut rows: Vec<(PathMatch, String, String)> = Vec::new();
        if self.is_regex() {
            for location in &self.0 {
                let matcher = PathMatch::Pattern(location.path.clone());
                if !rows.iter().any(|(other, ..)| *other == matcher) {
                    rows.push(row(location, matcher));
                }
            }
            return rows;
        }
        for location in &self.0 {
            let is_same =
                |other: &&Location| other.path == location.path && other.exact == location.exact;
            let older = self.0.iter().filter(is_same).map(|other| other.rank).min();
            let in_subtree = self.0.iter().any(|other| {
                location.exact
                    && !other.exact
                    && other.path == location.path
                    && other.rank == location.rank
            });
            if older < Some(location.rank) || in_subtree {
                continue;
            }
            let path = location.path.clone();
            rows.push(row(
                location,
                if location.exact { PathMatch::Exact(path) } else { PathMatch::Prefix(path) },
            ));
        }
        rows.sort();
        rows
    }
}

pub fn servers(specs: &[Spec]) -> BTreeMap<String, Server> {
    let mut specs: Vec<_> = specs.iter().collect();
    specs.sort_by(|a, b| a.created.cmp(&b.created).then(b.name.cmp(a.name)));
    let root = |spec: Option<&Spec>| Location {
        path: "/".into(),
        exact: false,
        service: if spec.is_some_and(|spec| spec.default) {
            "default".into()
        } else {
            String::new()
        },
        use_regex: spec.is_some_and(|spec| spec.use_regex),
        target: spec.map_or("", |spec| spec.target).into(),
        implicit: true,
        rank: 0,
    };
    let mut servers = BTreeMap::from([("_".to_owned(), Server(vec![root(None)]))]);
    for spec in &specs {
        for (host, _) in &spec.rules {
            let name = if host.is_empty() { "_" } else { host };
            servers.entry(name.to_owned()).or_insert_with(|| Server(vec![root(Some(spec))]));
        }
    }
    if specs.iter().any(|spec| spec.default && spec.rules.is_empty()) {
        let root = &mut servers.get_mut("_").unwrap().0[0];
        root.service = "default".into();
        root.implicit = false;
    }
    for spec in &specs {
        for (host, paths) in &spec.rules {
            let name = if host.is_empty() { "_" } else { host };
            let server = servers.get_mut(name).unwrap();
            for (path, exact, service) in paths {
                let path = if path.is_empty() { "/" } else { path };
                let mut location = Location {
                    path: path.into(),
                    exact: *exact,
                    service: (*service).into(),
                    use_regex: spec.use_regex,
                    target: spec.target.into(),
                    implicit: false,
                    rank: server.0.len(),
                };
                match server.0.iter_mut().find(|other| other.path == path && other.exact == *exact)
                {
                    None => server.0.push(location),
                    Some(other) if other.implicit => {
                        location.rank = other.rank;
                        *other = location;
                    }
                    Some(_) => {}
                }
            }
        }
    }
    for server in servers.values_mut() {
        server.0.sort_by(|a, b| b.path.cmp(&a.path));
        server.0.sort_by_key(|location| std::cmp::Reverse(location.path.len()));
        server.0 = split(&server.0);
    }
    servers
}

/// A Prefix that will not be a regular expression becomes a subtree and the bare path.
fn split(locations: &[Location]) -> Vec<Location> {
    let has_exact =
        |path: &str| locations.iter().any(|location| location.exact && location.path == path);
    let mut split = Vec::new();
    for location in locations {
        let is_plain = !location.exact
            && location.path != "/"
            && !location.use_regex
            && !location.is_rewritten();
        if !is_plain {
            split.push(location.clone());
            continue;
        }
        let path = &location.path;
        let subtree = if path.ends_with('/') { path.clone() } else { format!("{path}/") };
        split.push(Location { path: subtree, ..location.clone() });
        if !has_exact(path) {
            split.push(Location { exact: true, ..location.clone() });
        }
    }
    split
}

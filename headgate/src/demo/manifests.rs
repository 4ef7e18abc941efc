//! The manifests that the demo serves: the bundled ones, with the application's processes as endpoints.

use std::{
    fmt::Write,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The manifests of the application, as they are in the repository.
const BUNDLED: &[(&str, &str)] = &[
    ("ingress-class.yaml", include_str!("../../../manifests/app/ingress-class.yaml")),
    ("ingress.yaml", include_str!("../../../manifests/app/ingress.yaml")),
    ("posts.yaml", include_str!("../../../manifests/app/posts.yaml")),
    ("comments.yaml", include_str!("../../../manifests/app/comments.yaml")),
    ("query.yaml", include_str!("../../../manifests/app/query.yaml")),
    ("moderation.yaml", include_str!("../../../manifests/app/moderation.yaml")),
    ("event-bus.yaml", include_str!("../../../manifests/app/event-bus.yaml")),
    ("client.yaml", include_str!("../../../manifests/app/client.yaml")),
];

/// Writes the manifests below `data`; returns the folders to serve.
pub fn prepare(
    data: &Path,
    own: Option<PathBuf>,
    endpoints: &[(&str, SocketAddr)],
) -> anyhow::Result<Vec<PathBuf>> {
    let slices = data.join("endpoints");
    write(&slices, "endpoints.yaml", &endpoint_slices(endpoints))?;
    if let Some(own) = own {
        return Ok(vec![own, slices]);
    }
    let bundled = data.join("manifests");
    for (name, text) in BUNDLED {
        write(&bundled, name, text)?;
    }
    Ok(vec![bundled, slices])
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join(name), text))
        .with_context(|| format!("cannot write {}", folder.join(name).display()))
}

/// One EndpointSlice per service.
fn endpoint_slices(endpoints: &[(&str, SocketAddr)]) -> String {
    let mut text = String::new();
    for (service, address) in endpoints {
        let (ip, port) = (address.ip(), address.port());
        let _ = write!(
            text,
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {service}-demo\n  \
             namespace: default\n  labels:\n    kubernetes.io/service-name: {service}\naddressType: IPv4\n\
             endpoints:\n  - addresses: [\"{ip}\"]\n    conditions:\n      ready: true\nports:\n  - port: {port}\n    \
             protocol: TCP\n    name: http\n"
        );
    }
    text
}

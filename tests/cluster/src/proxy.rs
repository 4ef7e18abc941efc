//! A stand-in for kube-proxy and a cloud's load balancers: listens on the address of every Service and forwards TCP connections to its
//! endpoints. No sticky sessions, no node ports, no UDP.

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Result;
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use socket2::SockRef;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    accept::Connections,
    directory::{Directory, ServicePort},
    network,
};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Changes within this time are taken together: large sets come quickly.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves until it is dropped; connections end with it.
pub(crate) async fn run(client: Client, directory: Directory, mut changed: watch::Receiver<()>) {
    let mut tasks = JoinSet::new();
    // One listener does for all addresses with the same port, however many Services there are.
    let mut listening = HashSet::new();
    let mut balancers = LoadBalancers { client, given: HashMap::new() };
    while changed.changed().await.is_ok() {
        sleep(PAUSE).await;
        changed.mark_unchanged();
        for service in directory.services() {
            balancers.provide(&service).await;
            let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
            for port in ports.map(|port| port.port as u16) {
                if !listening.contains(&port) {
                    match listen(port) {
                        Ok(listener) => tasks.spawn(serve(listener, directory.clone())),
                        Err(error) => {
                            eprintln!("port {port} of Services is not served: {error:#}");
                            continue;
                        }
                    };
                    listening.insert(port);
                }
            }
        }
    }
}

fn listen(port: u16) -> Result<TcpListener> {
    let listener = network::among_services(move || {
        let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    })?;
    Ok(TcpListener::from_std(listener)?)
}

async fn serve(listener: TcpListener, directory: Directory) {
    let mut connections = Connections::default();
    loop {
        let Some((client, _)) = connections.accepted(listener.accept()).await else { continue };
        let port = client.local_addr().ok().and_then(|address| find(&directory, address));
        let endpoint = port.and_then(|port| fastrand::choice(directory.endpoints(&port)));
        connections.serve(async move {
            let Err(client) = forward(client, endpoint).await else { return };
            // Nobody there: the nearest thing to a refused connection.
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        });
    }
}

/// The Service port that is reached on this address.
fn find(directory: &Directory, address: SocketAddr) -> Option<ServicePort> {
    let ip = address.ip().to_string();
    directory.services().iter().find_map(|service| {
        let spec = service.spec.as_ref()?;
        let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let mut balancers = status.iter().flat_map(|status| status.ingress.iter().flatten());
        let here = spec.cluster_ip.as_ref() == Some(&ip)
            || balancers.any(|ingress| ingress.ip.as_ref() == Some(&ip));
        let mut ports = spec.ports.iter().flatten().filter(|_| here);
        let port = ports.find(|port| {
            port.port as u16 == address.port() && port.protocol.as_deref().unwrap_or("TCP") == "TCP"
        })?;
        Some(ServicePort {
            service: (service.namespace().unwrap_or_default(), service.name_any()),
            name: port.name.clone().unwrap_or_default(),
        })
    })
}

/// Copies both ways until both have ended. Gives the client back if there is nobody to talk to.
async fn forward(mut client: TcpStream, endpoint: Option<SocketAddr>) -> Result<(), TcpStream> {
    let Some(endpoint) = endpoint else { return Err(client) };
    let Ok(Ok(mut upstream)) = timeout(CONNECT_LIMIT, TcpStream::connect(endpoint)).await else {
        return Err(client);
    };
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    match copy_bidirectional(&mut client, &mut upstream).await {
        Ok(_) => Ok(()),
        Err(_) => Err(client),
    }
}

/// Gives addresses to Services of type LoadBalancer.
struct LoadBalancers {
    client: Client,
    /// The last part of each Service's address, by its uid.
    given: HashMap<String, u8>,
}

impl LoadBalancers {
    async fn provide(&mut self, service: &Service) {
        let wants =
            service.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"));
        let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let has = status.is_some_and(|status| {
            status.ingress.as_ref().is_some_and(|ingress| !ingress.is_empty())
        });
        if !wants || has {
            return;
        }
        let next = (self.given.len() as u8).wrapping_add(1);
        let number = *self.given.entry(service.uid().unwrap_or_default()).or_insert(next);
        let patch = json!({"status": {"loadBalancer": {"ingress": [{"ip": network::load_balancer(number), "ipMode": "VIP"}]}}});
        let api = Api::<Service>::namespaced(
            self.client.clone(),
            &service.namespace().unwrap_or_default(),
        );
        // Its change comes back as an event; a failure is met again with the next one.
        let _ = api
            .patch_status(&service.name_any(), &PatchParams::default(), &Patch::Merge(patch))
            .await;
    }
}

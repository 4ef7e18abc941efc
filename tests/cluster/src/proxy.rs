//! A stand-in for kube-proxy and a cloud's load balancers: listens on the address of every Service and forwards TCP connections to its
//! endpoints. No sticky sessions, no node ports, no UDP.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    net::SocketAddr,
    time::Duration,
};

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
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use crate::{
    directory::{Directory, ServicePort},
    network,
};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How often what went wrong is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Serves until it is dropped; connections end with it.
pub(crate) async fn run(client: Client, directory: Directory, mut changed: watch::Receiver<()>) {
    let mut tasks = JoinSet::new();
    let mut listening: HashMap<SocketAddr, (ServicePort, AbortHandle)> = HashMap::new();
    let mut balancers = LoadBalancers { client, given: HashMap::new() };
    loop {
        let services = directory.services();
        for service in &services {
            balancers.provide(service).await;
        }
        let wanted: BTreeMap<SocketAddr, ServicePort> =
            services.iter().flat_map(|service| sockets(service)).collect();
        listening.retain(|address, (port, task)| {
            let keep = wanted.get(address) == Some(port);
            if !keep {
                task.abort();
            }
            keep
        });
        let mut complete = true;
        for (address, port) in wanted {
            let Entry::Vacant(free) = listening.entry(address) else { continue };
            match TcpListener::bind(address).await {
                Ok(listener) => {
                    let task = tasks.spawn(serve(listener, directory.clone(), port.clone()));
                    free.insert((port, task));
                }
                // Perhaps the former listener on it is not quite gone.
                Err(_) => complete = false,
            }
        }
        while tasks.try_join_next().is_some() {}
        if complete {
            if changed.changed().await.is_err() {
                return;
            }
        } else {
            let _ = timeout(RETRY, changed.changed()).await;
        }
    }
}

/// Every address and port that a Service is reached on.
fn sockets(service: &Service) -> Vec<(SocketAddr, ServicePort)> {
    let Some(spec) = &service.spec else { return Vec::new() };
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let balancers = status
        .iter()
        .flat_map(|status| status.ingress.iter().flatten())
        .filter_map(|ingress| ingress.ip.as_ref());
    let addresses: Vec<_> =
        spec.cluster_ip.iter().chain(balancers).filter_map(|ip| ip.parse().ok()).collect();
    let mut sockets = Vec::new();
    for port in spec
        .ports
        .iter()
        .flatten()
        .filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP")
    {
        let target = ServicePort {
            service: (service.namespace().unwrap_or_default(), service.name_any()),
            name: port.name.clone().unwrap_or_default(),
        };
        sockets.extend(
            addresses
                .iter()
                .map(|address| (SocketAddr::new(*address, port.port as u16), target.clone())),
        );
    }
    sockets
}

async fn serve(listener: TcpListener, directory: Directory, port: ServicePort) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let endpoint = fastrand::choice(directory.endpoints(&port));
        connections.spawn(async move {
            let Err(client) = forward(client, endpoint).await else { return };
            // Nobody there: the nearest thing to a refused connection.
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        });
    }
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

//! Asks a service that a URL names: finds out where it listens, and tries its addresses.

mod failure;
mod send;

use std::{net::SocketAddr, rc::Rc, time::Duration};

use http::{HeaderMap, StatusCode};

pub use self::{failure::Failure, send::Question};
use crate::{
    filter::url::Destination, live::UpstreamRef, upstream::pool::Endpoint, worker::Worker,
};

/// Limit of connecting, and of each wait for the service (annotations §3.7).
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Addresses of a service that are tried, one after the other.
const MOST_ADDRESSES: usize = 3;

/// Asks at one address after the other until one can be reached, and gives the head of the answer. `upstream` has the
/// addresses where they are not those of a name.
///
/// # Errors
/// There is no answer.
pub async fn ask(
    worker: &Worker,
    upstream: Option<&UpstreamRef>,
    destination: &Destination,
    question: &Question<'_>,
) -> Result<(StatusCode, HeaderMap), Failure> {
    ask_telling(worker, upstream, destination, question, |_| {}).await
}

/// The same; says which addresses are tried.
///
/// # Errors
/// There is no answer.
pub async fn ask_telling(
    worker: &Worker,
    upstream: Option<&UpstreamRef>,
    destination: &Destination,
    question: &Question<'_>,
    mut tell: impl FnMut(SocketAddr),
) -> Result<(StatusCode, HeaderMap), Failure> {
    let addresses = addresses(worker, upstream, destination).await;
    if addresses.is_empty() {
        return Err(Failure::Unresolved);
    }
    let first = worker.origins.turn(addresses.len());
    let server = destination.tls.then_some(&*destination.place.host);
    let mut last = Failure::Unresolved;
    for index in 0..addresses.len().min(MOST_ADDRESSES) {
        let address = addresses[(first + index) % addresses.len()];
        let endpoint: Rc<Endpoint> =
            worker.origins.endpoint(address, server).ok_or(Failure::Request)?;
        tell(address);
        match question.ask(worker, &endpoint).await {
            // Another address may be better, if nothing was said to this one.
            Err(failure @ Failure::Unreachable) => last = failure,
            outcome => return outcome,
        }
    }
    Err(last)
}

/// Where the service listens.
async fn addresses(
    worker: &Worker,
    upstream: Option<&UpstreamRef>,
    destination: &Destination,
) -> Vec<SocketAddr> {
    let place = &destination.place;
    if let Some(upstream) = upstream {
        return upstream.addresses().to_vec();
    }
    if let Some(address) = place.address {
        return vec![SocketAddr::new(address, place.port)];
    }
    let found = worker.asking.names.find(&place.host).await;
    found.iter().map(|address| SocketAddr::new(*address, place.port)).collect()
}

use tokio::{runtime::Handle, task::LocalSet};

use super::{conn::Phase, *};
use crate::{
    live::Live,
    observe::{
        access_log::AccessLog,
        metrics::{Metrics, MetricsSettings},
        request_id::RequestIds,
    },
    upstream::resolve::Resolver,
};

/// A worker whose gateway knows no host, and where its counts are read.
pub(super) fn worker() -> (Rc<Worker>, Arc<Metrics>) {
    let metrics = Metrics::new(MetricsSettings { enabled: true, ..MetricsSettings::default() });
    let live = Arc::new(Live::new(Resolver::new(Handle::current()), Arc::clone(&metrics)));
    let log = AccessLog::start(io::sink()).expect("a log");
    let ids = RequestIds::from_os().expect("randomness");
    let worker = Worker::new(live, ids, 443, metrics.worker(), log.worker());
    (Rc::new(worker), metrics)
}

/// A connection that was just accepted.
pub(super) fn connection() -> Arc<Connection> {
    let peer = ([127, 0, 0, 1], 1).into();
    Arc::new(Connection::new(peer, peer, HeaderValue::from_static("80"), false))
}

#[tokio::test]
async fn connections_are_counted_while_their_heads_are_read() {
    let (worker, metrics) = worker();
    let reading = || {
        let text: Vec<u8> = metrics.scrape().flatten().collect();
        let text = String::from_utf8(text).expect("a text");
        let line = text.lines().find(|line| line.contains("state=\"reading\"")).expect("a gauge");
        line.rsplit(' ').next().expect("a value").to_owned()
    };
    let connections = Connections::default();
    let (connection, counted) = (connection(), Rc::new(worker.metrics.connection()));
    let task = LocalSet::new().spawn_local(std::future::pending::<()>()).abort_handle();
    connections.insert(Open { connection: Arc::clone(&connection), counted, task });
    for (phase, count) in [(Phase::Head, "1"), (Phase::Idle, "0")] {
        connection.enter(phase);
        connections.sweep(&worker);
        assert_eq!(reading(), count, "{phase:?}");
    }
}

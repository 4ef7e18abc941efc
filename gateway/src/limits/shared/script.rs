//! The script that counts.

use std::sync::LazyLock;

use redis::{RedisResult, Script, aio::MultiplexedConnection};

use crate::limits::Paces;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

/// Whether a request of the client with this key may pass, which is counted if so, by the clock of the server.
///
/// # Errors
/// Whatever the server or the way to it is in.
pub async fn take(
    connection: &mut MultiplexedConnection,
    key: &str,
    paces: &Paces,
) -> RedisResult<bool> {
    let mut call = TAKE.key(key);
    for pace in paces {
        let (leak, burst) = pace.as_ref().map_or((0, 0), |pace| (pace.leak(), pace.burst()));
        call.arg(leak).arg(burst);
    }
    match call.invoke_async(connection).await? {
        0_u8 => Ok(false),
        _ => Ok(true),
    }
}
